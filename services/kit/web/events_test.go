package web

import (
	"net/http/httptest"
	"testing"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	events, err := OpenEvents(w)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []Event{
		{ID: "7", Name: "order", Data: []byte(`{"state":"placed"}`)},
		{ID: "8\nevent: forged", Data: []byte("one\r\ntwo\n")},
		{},
	} {
		if err := events.Send(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := events.Ping(); err != nil {
		t.Fatal(err)
	}
	diff(t, "id: 7\nevent: order\ndata: {\"state\":\"placed\"}\n\n"+
		"id: 8event: forged\ndata: one\ndata: two\n\n"+
		"\n"+
		": ping\n\n", w.Body.String())
	if !w.Flushed || w.Header().Get("Cache-Control") != "no-store" {
		t.Error("events must be flushed and not be cached")
	}
}
