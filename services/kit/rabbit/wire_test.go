package rabbit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// slowPeer reads nothing until it is told to.
func slowPeer(t *testing.T) (*wire, net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { _ = far.Close() })
	return newWire(near), far
}

func TestWireNeverWaitsForItsPeer(t *testing.T) {
	t.Parallel()
	w, far := slowPeer(t)
	var want bytes.Buffer
	chunk := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
	for range 32 {
		n, err := w.Write(chunk)
		must(t, err)
		if n != len(chunk) {
			t.Fatalf("wrote %d of %d bytes", n, len(chunk))
		}
		want.Write(chunk)
	}
	got := make([]byte, want.Len())
	_, err := io.ReadFull(far, got)
	must(t, err)
	if !bytes.Equal(want.Bytes(), got) {
		t.Error("bytes came in another order")
	}
	must(t, w.Close())
}

func TestWireSendsTogetherWhatGathers(t *testing.T) {
	t.Parallel()
	w, far := slowPeer(t)
	for range 100 {
		_, err := w.Write([]byte("x"))
		must(t, err)
	}
	total, reads := 0, 0
	for buf := make([]byte, 1024); total < 100; reads++ {
		n, err := far.Read(buf)
		must(t, err)
		total += n
	}
	if reads > 3 {
		t.Errorf("100 writes were sent in %d", reads)
	}
	must(t, w.Close())
}

func TestWireHasRoomAgainWhenItsPeerReads(t *testing.T) {
	t.Parallel()
	w, far := slowPeer(t)
	must(t, w.room(t.Context()))
	for range 3 { // the first is being sent, the others gather
		_, err := w.Write(make([]byte, highWater))
		must(t, err)
		eventually(t, "the first to be sent", w.busy)
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := w.room(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a full wire has room: %v", err)
	}
	waiting := make(chan error, 1)
	go func() { waiting <- w.room(context.WithoutCancel(t.Context())) }()
	_, err := io.CopyN(io.Discard, far, 2*highWater)
	must(t, err)
	must(t, <-waiting)
	_, err = io.CopyN(io.Discard, far, highWater)
	must(t, err)
	must(t, w.Close())
}

// busy reports whether the wire is sending.
func (w *wire) busy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sending
}

func TestWireSendsItsLastBytesBeforeItCloses(t *testing.T) {
	t.Parallel()
	w, far := slowPeer(t)
	_, err := w.Write([]byte("goodbye"))
	must(t, err)
	closed := make(chan error, 1)
	go func() { closed <- w.Close() }()
	got, err := io.ReadAll(far)
	must(t, err)
	if string(got) != "goodbye" {
		t.Errorf("the peer read %q", got)
	}
	must(t, <-closed)
	if _, err := w.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after close: %v", err)
	}
	must(t, w.Close())
}

func TestWireCloseDoesNotWaitForADeafPeer(t *testing.T) {
	t.Parallel()
	w, _ := slowPeer(t)
	_, err := w.Write([]byte("unheard"))
	must(t, err)
	closed := make(chan struct{})
	go func() { defer close(closed); _ = w.Close() }()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatal("close waits for a peer that does not read")
	}
}

func TestWireRefusesWritesAfterItBroke(t *testing.T) {
	t.Parallel()
	w, far := slowPeer(t)
	must(t, far.Close())
	eventually(t, "a write to fail", func() bool {
		_, err := w.Write([]byte("x"))
		return err != nil
	})
	if err := w.room(t.Context()); err == nil {
		t.Error("a broken wire has room")
	}
	must(t, w.Close())
}
