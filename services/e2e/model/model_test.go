package model

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"
)

var (
	seed  = flag.Uint64("model.seed", 0, "seed of the random walks; 0 takes the time")
	walks = flag.Int("model.walks", 3000, "how many random walks each scenario takes")
)

// scenarios are the orders to follow: what the outside says and what is asked.
func scenarios() map[string]scenario {
	return map[string]scenario{
		"good":                        {},
		"declined":                    {declines: true},
		"carrier refuses":             {refuses: true},
		"cancelled":                   {cancels: 1},
		"timed out":                   {expiries: 1},
		"declined and cancelled":      {declines: true, cancels: 1},
		"refused and cancelled":       {refuses: true, cancels: 1},
		"cancelled and timed out":     {cancels: 1, expiries: 1},
		"refused and timed out twice": {refuses: true, expiries: 2},
	}
}

// TestEveryInterleaving walks everything that one fault can do to an order.
func TestEveryInterleaving(t *testing.T) {
	t.Parallel()
	for name, s := range scenarios() {
		for stock, r := range map[string]rules{"in stock": protocol(), "sold out": protocol().soldOut()} {
			t.Run(name+"/"+stock, func(t *testing.T) {
				t.Parallel()
				s.faults = 1
				if testing.Short() {
					s.faults = 0
				}
				worlds, err := explorer{rules: r, prefetch: 2}.explore(s)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%d worlds", worlds)
			})
		}
	}
}

// TestFullPrefetch walks an order whose queues hand out one message at a time.
func TestFullPrefetch(t *testing.T) {
	t.Parallel()
	s := scenario{cancels: 1, expiries: 1, faults: 1}
	if testing.Short() {
		s.faults = 0
	}
	worlds, err := explorer{rules: protocol(), prefetch: 1}.explore(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d worlds", worlds)
}

// TestRandomWalks goes on at random with more faults than can be walked out.
func TestRandomWalks(t *testing.T) {
	t.Parallel()
	from := *seed
	if from == 0 {
		from = uint64(time.Now().UnixNano())
	}
	for name, s := range scenarios() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Logf("-model.seed=%d", from)
			random := rand.New(rand.NewPCG(from, 0))
			n := *walks
			if testing.Short() {
				n /= 10
			}
			for range n {
				s.faults = int8(2 + random.IntN(5))
				x := explorer{rules: protocol(), prefetch: 1 + random.IntN(2)}
				if random.IntN(4) == 0 {
					x.rules = x.rules.soldOut()
				}
				if err := x.walk(s, random); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestMutantsAreCaught(t *testing.T) {
	t.Parallel()
	for name, m := range mutants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := explorer{rules: m.rules(protocol()), prefetch: max(m.prefetch, 1)}
			worlds, err := x.explore(m.scenario)
			if err == nil {
				t.Fatalf("%d worlds and no promise broken", worlds)
			}
			t.Logf("%d worlds: %v", worlds, err)
		})
	}
}
