package world_test

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// BenchmarkAuthorize is what one durable answer costs, with as many callers at once
// as a demo has: they share the commits.
func BenchmarkAuthorize(b *testing.B) {
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			l := open(b)
			l.routes = nil
			var n atomic.Int64
			b.SetParallelism(callers)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					id := fmt.Sprint(n.Add(1))
					if s := l.authorize(id, id, "tok_ok"); s.status != 200 {
						b.Errorf("got %+v", s)
					}
				}
			})
		})
	}
}
