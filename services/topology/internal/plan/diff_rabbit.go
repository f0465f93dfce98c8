package plan

import (
	"slices"
	"strconv"
	"strings"
)

func (d *differ) exchanges() {
	for i := range d.want.Exchanges {
		w := &d.want.Exchanges[i]
		vhost, _ := d.vhost(w.Vhost)
		have, there := vhost.Exchanges[w.Name]
		if !there {
			fields := exchangeFields(&Exchange{}, &w.Exchange, true)
			d.create(phaseExchange, making(w.Owner, &w.Exchange, fields), w.Policy)
			continue
		}
		fields := exchangeFields(&have, &w.Exchange, false)
		if len(fields) == 0 {
			continue
		}
		s := Step{Key: Key{Update, w.ID()}, Fields: fields, Object: &w.Exchange}
		s.raise(Blocked, "an exchange cannot be changed: make the manifest equal to it, give it another name, "+
			"or delete it by hand when nothing publishes to it")
		d.change(phaseExchange, w.Owner, s)
	}
}

func exchangeFields(have, want *Exchange, fresh bool) []Field {
	fields := differences("arguments", have.Arguments, want.Arguments)
	if have.Type != want.Type {
		fields = append(fields, Field{"type", have.Type, want.Type})
	}
	flag := func(path string, h, w bool) {
		if h != w || (fresh && path == "durable") {
			fields = append(fields, flagField(path, h, w, fresh))
		}
	}
	flag("durable", have.Durable, want.Durable)
	flag("auto_delete", have.AutoDelete, want.AutoDelete)
	flag("internal", have.Internal, want.Internal)
	return fields
}

func flagField(path string, have, want, fresh bool) Field {
	f := Field{path, strconv.FormatBool(have), strconv.FormatBool(want)}
	if fresh {
		f.Have = ""
	}
	return f
}

func (d *differ) queues() {
	for i := range d.want.Queues {
		w := &d.want.Queues[i]
		p := phaseQueue
		if w.Generated {
			p = phaseBehind
		}
		vhost, _ := d.vhost(w.Vhost)
		have, there := vhost.Queues[w.Name]
		if danger := vhost.danger(w); danger != nil {
			d.endangered(p, w, danger, there)
			continue
		}
		if !there {
			fields := queueFields(&Queue{}, &w.Queue, true)
			d.create(p, making(w.Owner, &w.Queue, fields), w.Policy)
			continue
		}
		if fields := queueFields(&have.Queue, &w.Queue, false); len(fields) > 0 {
			d.replace(p, w, &have.Queue, fields)
		}
	}
}

func queueFields(have, want *Queue, fresh bool) []Field {
	fields := differences("arguments", have.Arguments, want.Arguments)
	if have.Durable != want.Durable || fresh {
		fields = append(fields, flagField("durable", have.Durable, want.Durable, fresh))
	}
	if have.AutoDelete != want.AutoDelete {
		fields = append(fields, flagField("auto_delete", have.AutoDelete, want.AutoDelete, fresh))
	}
	return fields
}

// replace plans for a queue that differs in what cannot be changed.
func (d *differ) replace(p phase, w *WantQueue, have *Queue, fields []Field) {
	if !w.Replace {
		s := Step{Key: Key{Update, w.ID()}, Fields: fields, Object: &w.Queue}
		s.raise(Blocked, "these cannot be changed: make the manifest equal to the queue, give it another name, "+
			"or set spec.replacePolicy to IfEmpty to delete it while it is empty and make it again")
		d.change(p, w.Owner, s)
		return
	}
	s := Step{Key: Key{Delete, w.ID()}, Fields: fields, Object: have, OnlyIfEmpty: true}
	s.raise(Destructive, "these cannot be changed: the queue is deleted while it is empty and made again")
	d.change(p, w.Owner, s, w.Policy)
	fresh := queueFields(&Queue{}, &w.Queue, true)
	d.create(p, making(w.Owner, &w.Queue, fresh), w.Policy, w.ID())
}

func (d *differ) bindings() {
	for i := range d.want.Bindings {
		w := &d.want.Bindings[i]
		vhost, _ := d.vhost(w.Vhost)
		if !d.planned(Delete, w.destination()) && vhost.bound[w.ID()] {
			continue
		}
		d.bind(w, vhost)
	}
	for i := range d.want.Queues {
		w := &d.want.Queues[i]
		if !w.Generated {
			d.unbind(w.ID(), w.Owner, w.Unmanaged)
		}
	}
	for i := range d.want.Exchanges {
		w := &d.want.Exchanges[i]
		if !w.Generated {
			d.unbind(w.ID(), w.Owner, w.Unmanaged)
		}
	}
}

func (d *differ) bind(w *WantBinding, vhost *index) {
	p := phaseBinding
	if w.Generated {
		p = phaseBehindBinding
	}
	var fields []Field
	if w.RoutingKey != "" {
		fields = append(fields, Field{Path: "routing_key", Want: w.RoutingKey})
	}
	fields = append(fields, differences("arguments", nil, w.Arguments)...)
	d.additions[w.destination()] = append(d.additions[w.destination()], w.ID())
	s := d.create(p, making(w.Owner, &w.Binding, fields), w.source(), w.destination())
	if _, there := vhost.Exchanges[w.Source]; !there && !d.planned(Create, w.source()) && !builtIn(w.Source) {
		s.raise(Blocked, "exchange "+label(w.Source)+" is not there, and no manifest here makes it: "+
			"add its manifest, or correct spec.bindings")
	}
}

// unbind plans to remove the bindings of a destination that nobody lists, after
// the listed ones are there.
func (d *differ) unbind(destination ID, owner Owner, unmanaged []string) {
	vhost, _ := d.vhost(destination.Vhost)
	if d.planned(Delete, destination) {
		return
	}
	additions := d.additions[destination]
	for _, b := range vhost.to[destination] {
		if b.Source == "" || d.wanted[b.ID()] || slices.Contains(unmanaged, b.Source) {
			continue
		}
		s := Step{Key: Key{Delete, b.ID()}, Object: b}
		s.raise(Disruptive, "no manifest lists this binding: messages stop coming this way; "+
			"list it, or its exchange in spec.unmanagedExchanges, to keep it")
		d.change(phaseUnbind, owner, s, additions...)
	}
}

// builtIn: every vhost has these; the broker lists them nowhere.
func builtIn(exchange string) bool {
	return exchange == "" || strings.HasPrefix(exchange, "amq.")
}
