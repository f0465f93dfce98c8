package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"

	"parley.sh/services/kit/fault"
	"parley.sh/services/topology/internal/broker/address"
	"parley.sh/services/topology/internal/plan"
)

// sarama counts with go-metrics, whose one ticker of the process never ends.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

func TestFit(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		weights []int
		want    int
	}{
		"none":           {nil, 0},
		"all":            {[]int{3, 3, 4}, 3},
		"some":           {[]int{3, 3, 5, 1}, 2},
		"one too heavy":  {[]int{99, 1}, 1},
		"the second too": {[]int{1, 99}, 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := fit(weighing(tc.weights...), 10); got != tc.want {
				t.Errorf("%d fit, want %d", got, tc.want)
			}
		})
	}
}

func weighing(weights ...int) []*item {
	var out []*item
	for i, w := range weights {
		id := plan.ID{Kind: plan.KindTopic, Name: fmt.Sprintf("t%d", i)}
		out = append(out, &item{step: plan.Step{Key: plan.Key{Op: plan.Create, ID: id}}, weight: w})
	}
	return out
}

// connected is a session that believes to be connected.
func connected() *Session {
	return &Session{broker: sarama.NewBroker("127.0.0.1:1"), limits: limits{weight: 10, tries: 4, pause: time.Second}}
}

// sizes are how many topics each request held.
func requests(answer func(try int, items []*item) (map[string]error, time.Duration, error), log *[]int) send {
	return func(_ *sarama.Broker, items []*item) (map[string]error, time.Duration, error) {
		*log = append(*log, len(items))
		return answer(len(*log), items)
	}
}

func all(items []*item, err error) map[string]error {
	out := map[string]error{}
	for _, x := range items {
		out[x.step.ID.Name] = err
	}
	return out
}

func errsOf(items []*item) []error {
	var out []error
	for _, x := range items {
		out = append(out, x.err)
	}
	return out
}

// A request that is refused as a whole is cut until the one that is refused stands
// alone; the others are done.
func TestBatchesBisect(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2, 3, 7, 10} {
		for bad := range size {
			items := weighing(make([]int, size)...)
			var log []int
			connected().batches(t.Context(), items, requests(func(_ int, in []*item) (map[string]error, time.Duration, error) {
				for _, x := range in {
					if x == items[bad] {
						return all(in, sarama.ErrPolicyViolation), 0, nil
					}
				}
				return all(in, nil), 0, nil
			}, &log))
			for i, err := range errsOf(items) {
				if errors.Is(err, sarama.ErrPolicyViolation) != (i == bad) {
					t.Errorf("%d of %d: topic %d ends with %v after requests of %v", bad, size, i, err, log)
				}
			}
		}
	}
}

func TestBatchesPackByWeight(t *testing.T) {
	t.Parallel()
	var log []int
	items := weighing(4, 4, 4, 20, 1, 1)
	connected().batches(t.Context(), items, requests(func(_ int, in []*item) (map[string]error, time.Duration, error) {
		return all(in, nil), 0, nil
	}, &log))
	if diff := cmp.Diff([]int{2, 1, 1, 2}, log); diff != "" {
		t.Errorf("topics in each request (-want +got):\n%s", diff)
	}
}

// What the broker puts off is asked again after as long as it says; what it
// refused is not.
func TestBatchesWaitAsTheBrokerSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log []int
		items := weighing(1, 1, 1)
		began := time.Now()
		connected().batches(t.Context(), items, requests(func(try int, in []*item) (map[string]error, time.Duration, error) {
			if try == 1 {
				return map[string]error{"t0": nil, "t1": sarama.ErrThrottlingQuotaExceeded, "t2": sarama.ErrInvalidConfig}, 7 * time.Second, nil
			}
			return all(in, nil), 0, nil
		}, &log))
		if diff := cmp.Diff([]int{3, 1}, log); diff != "" {
			t.Errorf("topics in each request (-want +got):\n%s", diff)
		}
		if took := time.Since(began); took != 7*time.Second {
			t.Errorf("waited %s", took)
		}
		if items[0].err != nil || items[1].err != nil || !errors.Is(items[2].err, sarama.ErrInvalidConfig) {
			t.Errorf("errors: %v", errsOf(items))
		}
	})
}

func TestBatchesGiveUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log []int
		items := weighing(1)
		connected().batches(t.Context(), items, requests(func(_ int, in []*item) (map[string]error, time.Duration, error) {
			return all(in, sarama.ErrRequestTimedOut), 0, nil
		}, &log))
		if len(log) != 4 || !errors.Is(items[0].err, sarama.ErrRequestTimedOut) {
			t.Errorf("%d tries, %v", len(log), items[0].err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		log = nil
		connected().batches(ctx, items, requests(func(_ int, in []*item) (map[string]error, time.Duration, error) {
			return all(in, sarama.ErrRequestTimedOut), 0, nil
		}, &log))
		if len(log) != 1 {
			t.Errorf("%d tries after the end", len(log))
		}
	})
}

// One topic at which the broker closes the connection keeps no other from being
// made, and is told from a broker that went away.
func TestBatchesFindWhatClosesTheConnection(t *testing.T) {
	t.Parallel()
	s, refused := poisoned(t)
	items := weighing(1, 1, 1, 1, 1)
	s.batches(t.Context(), items, refused)
	for i, err := range errsOf(items) {
		if i == 3 != fault.Is(err, fault.Invalid) || i != 3 && err != nil {
			t.Errorf("topic %d: %v", i, err)
		}
	}
	s.address.Hosts = []string{"127.0.0.1:1"}
	s.reset()
	s.batches(t.Context(), items, refused)
	for i, err := range errsOf(items) {
		if !fault.Is(err, fault.Unavailable) {
			t.Errorf("topic %d without a broker: %v", i, err)
		}
	}
}

// poisoned is a session to a broker that closes the connection at topic t3.
func poisoned(t *testing.T) (*Session, send) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	s, err := Open(address.Address{Protocol: address.Kafka, Hosts: cluster.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.limits.pause = time.Millisecond
	return s, func(_ *sarama.Broker, items []*item) (map[string]error, time.Duration, error) {
		for _, x := range items {
			if x.step.ID.Name == "t3" {
				return nil, 0, io.EOF
			}
		}
		return all(items, nil), 0, nil
	}
}

func TestBatchesWithHalfAnAnswer(t *testing.T) {
	t.Parallel()
	items := weighing(1, 1)
	connected().batches(t.Context(), items, func(*sarama.Broker, []*item) (map[string]error, time.Duration, error) {
		return map[string]error{"t0": nil}, 0, nil
	})
	if items[0].err != nil || !fault.Is(items[1].err, fault.Unavailable) {
		t.Errorf("half an answer: %v", errsOf(items))
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	said := "it is \x1b[31mwrong"
	tests := map[sarama.KError]fault.Kind{
		sarama.ErrInvalidConfig: fault.Invalid, sarama.ErrTopicAuthorizationFailed: fault.Invalid,
		sarama.ErrUnknownTopicOrPartition: fault.NotFound, sarama.ErrRequestTimedOut: fault.Unavailable,
		sarama.ErrUnknown: fault.Internal,
	}
	for code, want := range tests {
		err := refusal(code, &said)
		if fault.KindOf(err) != want || !errors.Is(err, code) {
			t.Errorf("%d is %s: %v", int16(code), fault.KindOf(err), err)
		}
	}
	if err := refusal(sarama.ErrNoError, &said); err != nil {
		t.Errorf("no error is %v", err)
	}
}
