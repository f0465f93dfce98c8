// Package journal keeps what a client of the platform knows: every request that it
// sent, under which key, what it meant, and every answer. A line is on disk before
// the request that it describes is sent and before the answer that it describes is
// counted, so the journal is what "accepted" means to an audit.
package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Kind says what a line records.
type Kind string

// The kinds of lines.
const (
	// Placing is written before an order's first POST. Repetitions of the POST, with
	// the same key and body, need no line of their own.
	Placing Kind = "placing"
	// Placed records a definite answer to a POST.
	Placed Kind = "placed"
	// Cancelling is written before a request to cancel.
	Cancelling Kind = "cancelling"
	// Cancelled records a definite answer to a request to cancel.
	Cancelled Kind = "cancelled"
	// Littering is written before a message that can only be dead-lettered is put
	// somewhere on purpose.
	Littering Kind = "littering"
)

// Plan is what the sender of an order means to happen to it.
type Plan string

// The plans. What they may end as is for the audit to say.
const (
	Good          Plan = "good"
	Declined      Plan = "declined"
	Flaky         Plan = "flaky"
	Slow          Plan = "slow"
	Late          Plan = "late"
	Scarce        Plan = "scarce"
	SoldOut       Plan = "sold_out"
	CarrierFails  Plan = "carrier_fails"
	CancelledSoon Plan = "cancelled_soon"
	CancelledLate Plan = "cancelled_late"
	// Repeated is a good order whose POST is sent several times at once.
	Repeated Plan = "repeated"
)

// Item is a quantity of a product.
type Item struct {
	ProductID string `json:"productId"`
	Quantity  int64  `json:"quantity"`
}

// Line is one line of the journal.
type Line struct {
	Kind Kind      `json:"kind"`
	At   time.Time `json:"at"`
	// Key and Customer identify an order's POST. Every line but litter has both.
	Key      string `json:"key,omitempty"`
	Customer string `json:"customer,omitempty"`
	// Plan, Items, Token, Level and Address are set on Placing.
	Plan    Plan   `json:"plan,omitempty"`
	Items   []Item `json:"items,omitempty"`
	Token   string `json:"token,omitempty"`
	Level   string `json:"level,omitempty"`
	Address string `json:"address,omitempty"`
	// Status and OrderID are those of the answer; Cancelling has the OrderID too.
	Status  int    `json:"status,omitempty"`
	OrderID string `json:"orderId,omitempty"`
	// Place is where litter will lie: a dead-letter topic or queue. Its OrderID is the
	// key that it was sent under, which is no order.
	Place string `json:"place,omitempty"`
}

// Journal appends lines to a file. It is safe for concurrent use: lines that are
// written at the same time share one fsync.
type Journal struct {
	mu     sync.Mutex
	file   *os.File
	synced *sync.Cond
	// written and durable count lines.
	written, durable int64
	syncing          bool
	err              error
}

// Open opens or makes a journal for appending. What a crash left of a last line is
// cut off: what it describes was never sent.
func Open(path string) (*Journal, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	if err := cutLastLine(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	j := &Journal{file: f}
	j.synced = sync.NewCond(&j.mu)
	return j, nil
}

func cutLastLine(f *os.File) error {
	data, err := io.ReadAll(f)
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	if err := f.Truncate(int64(bytes.LastIndexByte(data, '\n') + 1)); err != nil {
		return fmt.Errorf("cut the last line of the journal: %w", err)
	}
	return nil
}

// Append writes a line and returns once it is on disk. After an error every Append
// fails: what the journal does not hold must not be sent.
func (j *Journal) Append(l Line) error {
	data, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("encode a line of the journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	if _, err := j.file.Write(append(data, '\n')); err != nil {
		j.err = fmt.Errorf("write the journal: %w", err)
		return j.err
	}
	j.written++
	for mine := j.written; j.durable < mine && j.err == nil; {
		j.sync()
	}
	return j.err
}

// sync lets one of those who wait do the fsync for all that is written. The caller
// holds the lock.
func (j *Journal) sync() {
	if j.syncing {
		j.synced.Wait()
		return
	}
	j.syncing = true
	upTo := j.written
	j.mu.Unlock()
	err := j.file.Sync()
	j.mu.Lock()
	j.syncing = false
	if err != nil {
		j.err = fmt.Errorf("sync the journal: %w", err)
	} else {
		j.durable = upTo
	}
	j.synced.Broadcast()
}

// Close closes the file.
func (j *Journal) Close() error { return j.file.Close() }

// Read reads a journal. A last line that a crash cut off is not in it: what it
// describes was never sent. Any other line that cannot be read is an error.
func Read(path string) ([]Line, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	defer func() { _ = f.Close() }()
	return Parse(f)
}

// Parse is Read for an open journal.
func Parse(r io.Reader) ([]Line, error) {
	var lines []Line
	in := bufio.NewReader(r)
	for number := 1; ; number++ {
		data, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
		var l Line
		if err := json.Unmarshal(data, &l); err != nil {
			return nil, fmt.Errorf("line %d of the journal: %w", number, err)
		}
		lines = append(lines, l)
	}
}
