package rest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/rest"
)

// counted is a body that says when it is closed and that its request must outlive.
type counted struct {
	io.Reader
	open *atomic.Int64
	once sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return nil
}

// Whatever happens to a call, every answer's body is closed: that of the answer
// that the caller got when the caller closes it, and every other one by the chain.
func TestNoBodyIsLeftOpen(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 1)) // a test that can be repeated
				var mu sync.Mutex
				pick := func(n int) int { mu.Lock(); defer mu.Unlock(); return random.IntN(n) }
				var open atomic.Int64
				c, _ := faked(unreliable(pick, &open), breakerOff, plenty, func(c *rest.Config) {
					c.HedgeAfter = 30 * time.Millisecond * time.Duration(seed%2)
					c.AttemptTimeout = 80 * time.Millisecond
					c.Timeout = 200 * time.Millisecond
					c.MaxInFlight = 20
				})
				var wg sync.WaitGroup
				for range 30 {
					wg.Go(func() { carelessCalls(t, c, pick) })
				}
				wg.Wait()
				synctest.Wait()
				if open.Load() != 0 {
					t.Errorf("%d bodies are open", open.Load())
				}
			})
		})
	}
}

// unreliable answers late, or with failures, or after its request has ended.
func unreliable(pick func(int) int, open *atomic.Int64) transport {
	codes := []int{200, 200, 200, 404, 429, 500, 503}
	return func(req *http.Request) (*http.Response, error) {
		wait := time.NewTimer(time.Duration(pick(100)) * time.Millisecond)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-req.Context().Done():
			if pick(2) == 0 {
				return nil, req.Context().Err()
			}
		}
		resp := reply(codes[pick(len(codes))], "")
		resp.Body = &counted{Reader: strings.NewReader("body"), open: open}
		open.Add(1)
		return resp, nil
	}
}

func carelessCalls(t *testing.T, c *rest.Client, pick func(int) int) {
	t.Helper()
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		gone := time.AfterFunc(time.Duration(pick(300))*time.Millisecond, cancel)
		resp, err := get(ctx, t, c)
		if err == nil {
			_ = resp.Body.Close() // unread: closing is all that is asked of a caller
		}
		gone.Stop()
		cancel()
	}
}

func TestAFailedAnswerStillHasItsBody(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body string
		want int
	}{
		"short": {"no", 2},
		"empty": {"", 0},
		"long":  {strings.Repeat("x", 100<<10), 64 << 10},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := served(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusServiceUnavailable)
				_, _ = io.WriteString(w, tt.body)
			}, once)
			resp, err := get(t.Context(), t, c)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			if err != nil || len(got) != tt.want || resp.ContentLength != int64(tt.want) {
				t.Errorf("got %d bytes of %d, %v, want %d", len(got), resp.ContentLength, err, tt.want)
			}
			_ = resp.Body.Close()
		})
	}
}

func TestTheLongestAnswer(t *testing.T) {
	t.Parallel()
	const limit = 1000
	tests := map[string]struct {
		length int
		limit  int64
		ok     bool
	}{
		"shorter":  {limit - 1, limit, true},
		"exactly":  {limit, limit, true},
		"longer":   {limit + 1, limit, false},
		"much":     {100 * limit, limit, false},
		"no limit": {100 * limit, 0, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := served(t, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, strings.Repeat("x", tt.length))
			}, func(c *rest.Config) { c.MaxResponse = tt.limit })
			resp, err := get(t.Context(), t, c)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if tt.ok && (err != nil || len(got) != tt.length) {
				t.Errorf("got %d bytes and %v, want all %d", len(got), err, tt.length)
			}
			if !tt.ok && (!fault.Is(err, fault.Internal) || len(got) != limit) {
				t.Errorf("got %d bytes and %v, want %d and an error of kind Internal", len(got), err, limit)
			}
		})
	}
}

func TestAnAnswerThatBreaksOffIsUnavailable(t *testing.T) {
	t.Parallel()
	c := served(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
	})
	resp, err := get(t.Context(), t, c)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(resp.Body)
	if !fault.Is(err, fault.Unavailable) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want an unexpected end of kind Unavailable", err)
	}
	_ = resp.Body.Close()
}
