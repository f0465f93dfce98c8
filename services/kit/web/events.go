package web

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// eventWrite is how long a client may take to receive one event.
const eventWrite = 10 * time.Second

// Events writes a stream of Server-Sent Events (WHATWG HTML, chapter 9.2). A client
// that does not read is given up after ten seconds, so that it cannot hold a
// goroutine. For one goroutine.
type Events struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// Event is one event. Data may have several lines; ID and Name must have none.
type Event struct {
	ID   string
	Name string
	Data []byte
}

// OpenEvents sends the headers of a stream.
func OpenEvents(w http.ResponseWriter) (*Events, error) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	e := &Events{w: w, control: http.NewResponseController(w)}
	if err := e.write(nil); err != nil {
		return nil, err
	}
	return e, nil
}

// Send writes one event and flushes it.
func (e *Events) Send(event Event) error {
	var b bytes.Buffer
	if event.ID != "" {
		fmt.Fprintf(&b, "id: %s\n", oneLine(event.ID))
	}
	if event.Name != "" {
		fmt.Fprintf(&b, "event: %s\n", oneLine(event.Name))
	}
	for line := range bytes.Lines(event.Data) {
		fmt.Fprintf(&b, "data: %s\n", bytes.TrimRight(line, "\r\n"))
	}
	b.WriteByte('\n')
	return e.write(b.Bytes())
}

// Ping writes a comment, which keeps proxies from closing a silent stream and
// finds a client that is gone.
func (e *Events) Ping() error { return e.write([]byte(": ping\n\n")) }

func (e *Events) write(data []byte) error {
	_ = e.control.SetWriteDeadline(time.Now().Add(eventWrite)) // a recorder of a test knows none
	if _, err := e.w.Write(data); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	if err := e.control.Flush(); err != nil {
		return fmt.Errorf("flush event: %w", err)
	}
	return nil
}

func oneLine(s string) string { return strings.NewReplacer("\r", "", "\n", "").Replace(s) }
