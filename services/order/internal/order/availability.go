package order

import (
	"context"
	"fmt"
	"sync"
	"time"

	"parley.sh/services/kit/fault"
)

// Level is how much of a product can be ordered, and its price.
type Level struct {
	Stock int64
	Price Money
	// Fresh is set by a Model: the level is as new as inventory's own, but for the
	// time that a Model is allowed to be behind.
	Fresh bool
}

// Stock asks inventory.
type Stock interface {
	// Level returns the level of one product now. NotFound: there is no such
	// product. Unavailable: inventory cannot say.
	Level(ctx context.Context, productID string) (Level, error)
}

// Model is what order itself knows of inventory's stock.
type Model interface {
	// Levels returns the levels that are known among products; fresh are those that
	// were complete at freshSince or later. Unavailable: it cannot be read.
	Levels(ctx context.Context, products []string, freshSince time.Time) (map[string]Level, error)
}

// StockLevel is what inventory published about a product.
type StockLevel struct {
	ProductID string
	// Version rises with every change; an older one is ignored.
	Version int64
	Stock   int64
	Price   Money
	// Partition is where it was read: freshness is known by partition.
	Partition int32
	At        time.Time
}

// Fallback says what happens to an order while inventory does not answer.
type Fallback string

// The fallbacks.
const (
	// Refuse answers that the service is unavailable.
	Refuse Fallback = "refuse"
	// ReadModel checks against the read model while it is fresh.
	ReadModel Fallback = "read-model"
	// ReadModelThenDeferred does so too, and beyond that takes the order without a
	// check, at the last known price: inventory's reservation decides.
	ReadModelThenDeferred Fallback = "read-model-then-deferred"
)

// Checked says what an order's stock was checked against.
type Checked string

// The kinds of check.
const (
	CheckedLive     Checked = "live"
	CheckedModel    Checked = "read_model"
	CheckedDeferred Checked = "deferred"
	CheckedNot      Checked = "refused"
)

// Availability checks the stock of orders and prices them.
type Availability struct {
	Live  Stock
	Model Model
	// Fallback is used when Live is Unavailable.
	Fallback Fallback
	// FreshWithin is how far the Model may be behind.
	FreshWithin time.Duration
	// Parallel bounds the questions to Live that one order asks at once.
	Parallel int
	Now      func() time.Time
	// Used is told what each order was checked against.
	Used func(Checked)
}

// Price returns the wanted items with their prices, all of which can be ordered.
// Errors name every item concerned. Invalid: there is no such product. Conflict:
// there is too little of it. Unavailable: nobody can say what it costs or whether
// it is there.
func (a *Availability) Price(ctx context.Context, wanted []Wanted) ([]Item, error) {
	levels, checked, err := a.levels(ctx, wanted)
	a.Used(checked)
	if err != nil {
		return nil, err
	}
	return price(wanted, levels, checked != CheckedDeferred)
}

func (a *Availability) levels(ctx context.Context, wanted []Wanted) ([]Level, Checked, error) {
	levels, err := a.liveInTime(ctx, wanted)
	if !fault.Is(err, fault.Unavailable) {
		return levels, CheckedLive, err
	}
	if a.Fallback == Refuse || ctx.Err() != nil {
		return nil, CheckedNot, err
	}
	levels, fresh, modelErr := a.model(ctx, wanted)
	switch {
	case modelErr != nil:
		return nil, CheckedNot, modelErr
	case fresh:
		return levels, CheckedModel, nil
	case a.Fallback == ReadModelThenDeferred:
		return levels, CheckedDeferred, nil
	}
	return nil, CheckedNot, err
}

// liveInTime leaves a fifth of the caller's time to the fallback: an inventory that
// hangs must not use up the time of its own replacement.
func (a *Availability) liveInTime(ctx context.Context, wanted []Wanted) ([]Level, error) {
	if end, ok := ctx.Deadline(); ok && a.Fallback != Refuse {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)*4/5)
		defer cancel()
	}
	return a.live(ctx, wanted)
}

// live asks inventory about every item, a few at a time.
func (a *Availability) live(ctx context.Context, wanted []Wanted) ([]Level, error) {
	levels, errs := make([]Level, len(wanted)), make([]error, len(wanted))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slots := make(chan struct{}, max(a.Parallel, 1))
	var asking sync.WaitGroup
	for i, w := range wanted {
		slots <- struct{}{}
		asking.Go(func() {
			defer func() { <-slots }()
			levels[i], errs[i] = a.Live.Level(ctx, w.ProductID)
			if errs[i] != nil && !fault.Is(errs[i], fault.NotFound) {
				cancel() // the order is not going to be priced: spare inventory the rest
			}
		})
	}
	asking.Wait()
	return levels, liveError(errs)
}

// liveError joins the answers about all items: any that could not be given first,
// because it was the reason to stop asking.
func liveError(errs []error) error {
	var unknown []fault.Field
	for i, err := range errs {
		switch {
		case err == nil:
		case fault.Is(err, fault.NotFound):
			unknown = append(unknown, fault.Field{
				Name: fmt.Sprintf("items[%d].productId", i), Rule: "must be a product of the catalogue",
			})
		default:
			return fmt.Errorf("check the stock: %w", firstCause(errs))
		}
	}
	if len(unknown) > 0 {
		return invalid(unknown...)
	}
	return nil
}

// firstCause prefers an error that is not the mere echo of the others' end.
func firstCause(errs []error) error {
	var echo error
	for _, err := range errs {
		if err == nil || fault.Is(err, fault.NotFound) {
			continue
		}
		if !isCanceled(err) {
			return err
		}
		echo = err
	}
	return echo
}

// model returns what the read model knows, and whether all of it is fresh. A
// product that it does not know has no price.
func (a *Availability) model(ctx context.Context, wanted []Wanted) ([]Level, bool, error) {
	products := make([]string, len(wanted))
	for i, w := range wanted {
		products[i] = w.ProductID
	}
	known, err := a.Model.Levels(ctx, products, a.Now().Add(-a.FreshWithin))
	if err != nil {
		return nil, false, fmt.Errorf("read the stock model: %w", err)
	}
	levels, fresh := make([]Level, len(wanted)), true
	for i, id := range products {
		level, ok := known[id]
		if !ok {
			return nil, false, fault.New(fault.Unavailable, "the price of an item is not known at the moment")
		}
		levels[i], fresh = level, fresh && level.Fresh
	}
	return levels, fresh, nil
}

// price joins what is wanted with its level, in the same order.
func price(wanted []Wanted, levels []Level, compare bool) ([]Item, error) {
	items := make([]Item, len(wanted))
	var short []fault.Field
	for i, w := range wanted {
		if levels[i].Price.Currency == "" || levels[i].Price.AmountMinor < 0 {
			return nil, fault.New(fault.Unavailable, "the price of an item is not known at the moment")
		}
		if compare && levels[i].Stock < w.Quantity {
			short = append(short, fault.Field{
				Name: fmt.Sprintf("items[%d].quantity", i), Rule: "must be at most what is in stock",
			})
		}
		items[i] = Item{ProductID: w.ProductID, Quantity: w.Quantity, UnitPrice: levels[i].Price}
	}
	if len(short) > 0 {
		return nil, &fault.Error{Kind: fault.Conflict, Public: "there is not enough stock", Fields: short}
	}
	return items, nil
}
