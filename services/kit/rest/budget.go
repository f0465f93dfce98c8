package rest

import "sync/atomic"

// thousandth is the unit of the budget: a call earns a fraction of an attempt.
const thousandth = 1000

// budget is the retry budget, a token bucket that traffic fills: each call puts in
// its share of a token, each retry or hedge takes a whole one out. So over any run
// of n calls there are at most n*share + burst extra attempts, whatever the
// target does and however many calls run at once.
//
// failsafe-go's own budget bounds the share of extra attempts among those in
// flight at one moment. With calls one after another it always finds room for the
// next retry, which with three attempts is three attempts a call.
type budget struct {
	share  int64
	most   int64
	tokens atomic.Int64
}

// newBudget returns a full bucket.
func newBudget(share float64, burst int) *budget {
	b := &budget{share: int64(share * thousandth), most: int64(burst) * thousandth}
	b.tokens.Store(b.most)
	return b
}

// earn adds the share of one call. A bucket that is full stays so.
func (b *budget) earn() {
	for {
		have := b.tokens.Load()
		next := min(have+b.share, max(b.most, thousandth))
		if next <= have || b.tokens.CompareAndSwap(have, next) {
			return
		}
	}
}

// take removes the token of one extra attempt and reports whether there was one.
func (b *budget) take() bool {
	for {
		have := b.tokens.Load()
		if have < thousandth {
			return false
		}
		if b.tokens.CompareAndSwap(have, have-thousandth) {
			return true
		}
	}
}

// left returns the tokens in the bucket.
func (b *budget) left() float64 { return float64(b.tokens.Load()) / thousandth }
