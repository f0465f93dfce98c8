package messagetest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"parley.sh/services/kit/message"
)

// Run runs the suite against an adapter.
func Run(t *testing.T, h Harness) {
	t.Helper()
	parts := map[string]func(*trial){
		"carries every attribute":                  carriesAttributes,
		"carries data of any script":               carriesUnicode,
		"carries a large message":                  carriesLarge,
		"carries the trace":                        carriesTrace,
		"keeps the order of a key":                 keepsOrder,
		"handles keys side by side":                handlesSideBySide,
		"shares work between consumers":            sharesWork,
		"reports each message of a publish":        reportsEach,
		"refuses a message nobody could read":      refusesUnreadable,
		"returns when the context has ended":       honoursContext,
		"tries again after a failure":              triesAgain,
		"tries again after a panic":                triesAfterPanic,
		"acknowledges a conflict":                  acknowledgesConflict,
		"holds while something is unavailable":     holds,
		"sets aside what is invalid, at once":      setsAsideInvalid,
		"sets aside what cannot be read":           setsAsideUnreadable,
		"gives up when told to":                    givesUp,
		"never gives up when told not to":          neverGivesUp,
		"lets a failing message hold back nothing": holdsBackNothing,
		"finishes what is in flight on stop":       finishesInFlight,
		"delivers again what was not finished":     deliversAgain,
	}
	for name, part := range parts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			part(&trial{t: t, ordered: h.Ordered, place: h.Place(t)})
		})
	}
}

var sequence atomic.Int64

// newMessage returns a message with every attribute set, unique in its id.
func newMessage(to message.Address, key string) message.Message {
	n := sequence.Add(1)
	return message.Message{
		ID:         fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", n),
		Type:       "ThingHappenedEvent",
		Source:     "messagetest",
		Subject:    key,
		Time:       time.Date(2026, 11, 23, 12, 0, 0, int(n)*1000, time.UTC),
		DataSchema: "https://parley.sh/schema/ThingHappenedEvent.v1.json",
		Key:        key,
		To:         to,
		Data:       fmt.Appendf(nil, `{"n":%d}`, n),
	}
}

func newMessages(to message.Address, key string, n int) []message.Message {
	messages := make([]message.Message, n)
	for i := range messages {
		messages[i] = newMessage(to, key)
	}
	return messages
}
