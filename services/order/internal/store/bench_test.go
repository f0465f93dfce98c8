package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"parley.sh/services/kit/servertest"
	"parley.sh/services/order/internal/bus"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/internal/store/storetest"
	"parley.sh/services/order/machine"
)

// BenchmarkJourney measures what one order costs in its database from its placing
// to its settlement: six transactions, one after the other.
func BenchmarkJourney(b *testing.B) {
	s := newStore(open(b, servertest.Database(b)))
	service := order.NewService(order.Settings{
		Store: s, Timing: order.Timing{Deadline: time.Hour, AskAfter: time.Hour, AskCap: time.Hour}, Now: time.Now,
	})
	facts := []func(machine.Order) (machine.Decision, error){
		func(o machine.Order) (machine.Decision, error) { return machine.OnStock(o, machine.StockReserved) },
		func(o machine.Order) (machine.Decision, error) { return machine.OnMoney(o, machine.MoneyAuthorized) },
		func(o machine.Order) (machine.Decision, error) { return machine.OnStock(o, machine.StockPicked) },
		func(o machine.Order) (machine.Decision, error) { return machine.OnMoney(o, machine.MoneyCaptured) },
		machine.OnDispatched,
	}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c, k := storetest.Place("ada")
			if err := s.Create(b.Context(), c, k); err != nil {
				b.Error(err)
				return
			}
			for _, decide := range facts {
				f := order.Fact{OrderID: c.Order.ID, Decide: decide, TrackingNumber: "trk"}
				f.Receipt = order.Receipt{Consumer: bus.Group, ID: uuid.NewString(), Source: "bench", Type: "T", Time: time.Now()}
				if err := service.React(b.Context(), f); err != nil {
					b.Error(err)
					return
				}
			}
		}
	})
}
