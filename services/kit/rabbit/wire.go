package rabbit

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// highWater is how much may gather in a wire before publishers wait.
const highWater = 1 << 20

// farewell bounds what Close waits for the last bytes to go out.
const farewell = 500 * time.Millisecond

// wire is a connection whose Write never waits: it appends, and one goroutine sends
// whatever has gathered in one system call. The client library flushes after
// every message, so this is what makes small messages cheap.
//
// It is also what keeps the library alive on a peer that stops reading. The library
// writes with its channel's lock held and takes that lock to tear a lost connection
// down; a Write that waits for the peer would keep it from ever noticing. So the
// waiting happens in room, before the library is called and under the caller's
// context, and the buffer is bounded by highWater and one message a channel.
type wire struct {
	net.Conn
	kick chan struct{}
	gone chan struct{} // closed when the sending goroutine has ended
	left atomic.Int64  // when the reader last came back from Read, in ns; 0 while it is in there

	mu      sync.Mutex
	buf     []byte
	sending bool
	err     error         // why nothing more is accepted
	below   chan struct{} // closed when buf has been taken; nil when nobody waits
}

// newWire takes over conn. Close ends it.
func newWire(conn net.Conn) *wire {
	w := &wire{Conn: conn, kick: make(chan struct{}, 1), gone: make(chan struct{})}
	go w.send()
	return w
}

// Write implements net.Conn. It returns an error once sending has failed or the
// wire is closed, and never waits.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, w.err
	}
	w.buf = append(w.buf, p...)
	select {
	case w.kick <- struct{}{}:
	default: // the sender will find these bytes too
	}
	return len(p), nil
}

// Read implements net.Conn.
func (w *wire) Read(p []byte) (int, error) {
	w.left.Store(0)
	n, err := w.Conn.Read(p)
	w.left.Store(time.Now().UnixNano())
	return n, err
}

// astray returns how long the reader has been doing something else than to read.
func (w *wire) astray() time.Duration {
	left := w.left.Load()
	if left == 0 {
		return 0
	}
	return time.Since(time.Unix(0, left))
}

// room waits until another message may be written.
func (w *wire) room(ctx context.Context) error {
	for {
		w.mu.Lock()
		if len(w.buf) < highWater || w.err != nil {
			err := w.err
			w.mu.Unlock()
			return err
		}
		if w.below == nil {
			w.below = make(chan struct{})
		}
		below := w.below
		w.mu.Unlock()
		select {
		case <-below:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close implements net.Conn. What was written before is sent first if the peer
// takes it soon: the library closes right after its last frame.
func (w *wire) Close() error {
	pending, first := w.shut()
	if !first {
		return nil
	}
	if pending {
		_ = w.SetWriteDeadline(time.Now().Add(farewell))
		<-w.gone
	}
	err := w.Conn.Close()
	<-w.gone
	return err
}

// shut refuses what comes from now on and reports whether something is still to be
// sent, and whether nobody had shut the wire before.
func (w *wire) shut() (pending, first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return false, false
	}
	w.fail(net.ErrClosed)
	close(w.kick)
	return len(w.buf) > 0 || w.sending, true
}

// fail refuses what comes from now on. The caller holds mu.
func (w *wire) fail(err error) {
	if w.err == nil {
		w.err = err
	}
	w.wake()
}

func (w *wire) wake() {
	if w.below != nil {
		close(w.below)
		w.below = nil
	}
}

// send is the goroutine that writes to the peer.
func (w *wire) send() {
	defer close(w.gone)
	var spare []byte
	for {
		_, open := <-w.kick
		batch := w.take(spare)
		if len(batch) > 0 {
			if _, err := w.Conn.Write(batch); err != nil {
				w.broke(err)
				return
			}
		}
		if !open {
			return
		}
		spare = reusable(batch)
	}
}

// take empties the buffer and leaves spare in its place.
func (w *wire) take(spare []byte) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	batch := w.buf
	w.buf = spare[:0]
	w.sending = len(batch) > 0
	w.wake()
	return batch
}

// reusable keeps a buffer unless a burst has made it large.
func reusable(buf []byte) []byte {
	if cap(buf) > 2*highWater {
		return nil
	}
	return buf
}

// broke closes the connection under the reader, which ends the session.
func (w *wire) broke(err error) {
	w.mu.Lock()
	w.fail(err)
	w.buf = nil
	w.mu.Unlock()
	_ = w.Conn.Close()
}
