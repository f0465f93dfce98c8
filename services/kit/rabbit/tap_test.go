package rabbit

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/servertest"
)

// tap stands between a client and the broker and understands frames, so that a test
// can count them, hold them back and slip in some of its own.
type tap struct {
	listener net.Listener
	upstream string
	all      sync.WaitGroup

	mu    sync.Mutex
	lines []*line
	// fromServer decides whether a frame of the server goes on. It runs on the
	// goroutine that carries them.
	fromServer func(l *line, f frame) bool
}

// line is one connection through a tap.
type line struct {
	client, server net.Conn
	toClient       sync.Mutex // whole frames only
	toServer       sync.Mutex
	mu             sync.Mutex
	counts         map[method]int // of the frames from the client
}

// method is the class and the method of a frame, as in the AMQP 0-9-1 specification.
type method struct{ class, id uint16 }

var (
	connectionBlocked   = method{10, 60}
	connectionUnblocked = method{10, 61}
	channelOpen         = method{20, 10}
	basicConsumeOK      = method{60, 21}
	basicPublish        = method{60, 40}
	basicAck            = method{60, 80}
	basicReject         = method{60, 90}
	basicNack           = method{60, 120}
)

// frame is one frame as it is on the wire.
type frame struct {
	kind    byte
	channel uint16
	payload []byte
}

// method returns what a method frame is; the zero method for any other frame.
func (f frame) method() method {
	if f.kind != 1 || len(f.payload) < 4 {
		return method{}
	}
	return method{binary.BigEndian.Uint16(f.payload), binary.BigEndian.Uint16(f.payload[2:])}
}

func (f frame) bytes() []byte {
	b := []byte{f.kind}
	b = binary.BigEndian.AppendUint16(b, f.channel)
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.payload)))
	return append(append(b, f.payload...), 0xCE)
}

// methodFrame makes a frame of a method and its encoded arguments.
func methodFrame(channel uint16, m method, arguments ...byte) frame {
	p := binary.BigEndian.AppendUint16(nil, m.class)
	p = binary.BigEndian.AppendUint16(p, m.id)
	return frame{kind: 1, channel: channel, payload: append(p, arguments...)}
}

// newTap starts a tap before the server under test, and returns settings for it.
func newTap(tb testing.TB) (*tap, Config) {
	tb.Helper()
	u, err := url.Parse(servertest.AMQP(tb))
	must(tb, err)
	listener := listen(tb)
	p := &tap{listener: listener, upstream: u.Host}
	p.all.Go(p.accept)
	tb.Cleanup(func() {
		_ = listener.Close()
		p.cut()
		p.all.Wait()
	})
	cfg := settings(tb)
	u.Host = listener.Addr().String()
	cfg.URL = config.Secret(u.String())
	return p, cfg
}

func (p *tap) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := dialPlain(p.upstream)
		if err != nil {
			_ = client.Close()
			continue
		}
		l := &line{client: client, server: server, counts: map[method]int{}}
		p.mu.Lock()
		p.lines = append(p.lines, l)
		p.mu.Unlock()
		p.all.Go(func() { p.up(l) })
		p.all.Go(func() { p.down(l) })
	}
}

// up carries the client's frames, after its protocol header.
func (p *tap) up(l *line) {
	defer l.cut()
	r := bufio.NewReader(l.client)
	var header [8]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return
	}
	_, _ = l.server.Write(header[:])
	carry(r, l.sendServer)
}

func (p *tap) down(l *line) {
	defer l.cut()
	carry(bufio.NewReader(l.server), func(f frame) {
		p.mu.Lock()
		pass := p.fromServer
		p.mu.Unlock()
		if pass == nil || pass(l, f) {
			l.sendClient(f)
		}
	})
}

// carry gives each frame of r to send until r ends.
func carry(r io.Reader, send func(frame)) {
	for {
		f, err := readFrame(r)
		if err != nil {
			return
		}
		send(f)
	}
}

func readFrame(r io.Reader) (frame, error) {
	var head [7]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	rest := make([]byte, binary.BigEndian.Uint32(head[3:])+1)
	if _, err := io.ReadFull(r, rest); err != nil {
		return frame{}, err
	}
	return frame{kind: head[0], channel: binary.BigEndian.Uint16(head[1:]), payload: rest[:len(rest)-1]}, nil
}

func (l *line) sendServer(f frame) {
	l.mu.Lock()
	l.counts[f.method()]++
	l.mu.Unlock()
	l.toServer.Lock()
	defer l.toServer.Unlock()
	_, _ = l.server.Write(f.bytes())
}

func (l *line) sendClient(f frame) {
	l.toClient.Lock()
	defer l.toClient.Unlock()
	_, _ = l.client.Write(f.bytes())
}

// count returns how many such frames the client has sent to the server.
func (l *line) count(m method) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts[m]
}

func (l *line) cut() {
	_ = l.client.Close()
	_ = l.server.Close()
}

// onServer sets what decides about the frames of the server; nil lets all pass.
func (p *tap) onServer(f func(l *line, f frame) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fromServer = f
}

// opened returns the connections so far, the oldest first.
func (p *tap) opened() []*line {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*line(nil), p.lines...)
}

// cut ends every connection without a word.
func (p *tap) cut() {
	for _, l := range p.opened() {
		l.cut()
	}
}

// count returns how many such frames all clients have sent.
func (p *tap) count(m method) int {
	n := 0
	for _, l := range p.opened() {
		n += l.count(m)
	}
	return n
}

// shortText encodes a short string.
func shortText(s string) []byte { return append([]byte{byte(len(s))}, s...) }
