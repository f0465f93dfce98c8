package cli

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"parley.sh/services/kit/config"
	"parley.sh/services/topology/api/v1alpha1"
	"parley.sh/services/topology/internal/broker"
	"parley.sh/services/topology/internal/broker/address"
	"parley.sh/services/topology/internal/broker/kafka"
	"parley.sh/services/topology/internal/broker/rabbit"
	"parley.sh/services/topology/internal/manifest"
	"parley.sh/services/topology/internal/plan"
	"parley.sh/services/topology/internal/spec"
)

// target is one broker and what the manifests ask of it.
type target struct {
	ref     string
	address address.Address
	want    plan.Desired
}

// targets finds the address of each broker that the documents name.
func targets(w *World, given []string, documents []manifest.Document) ([]target, error) {
	groups := byBroker(documents)
	addresses, err := parseBrokers(w, given, groups)
	if err != nil {
		return nil, err
	}
	var out []target
	var problems []manifest.Problem
	for _, ref := range slices.Sorted(maps.Keys(groups)) {
		t := target{ref: ref, address: addresses[ref]}
		problems = append(problems, misplaced(t.address, groups[ref])...)
		var bad []manifest.Problem
		t.want, bad = spec.Compile(groups[ref], t.address.Vhost)
		problems = append(problems, bad...)
		out = append(out, t)
	}
	if len(problems) > 0 {
		return nil, &manifest.Error{Problems: problems}
	}
	return out, nil
}

// byBroker groups documents by the reference that they name.
func byBroker(documents []manifest.Document) map[string][]manifest.Document {
	out := map[string][]manifest.Document{}
	for _, d := range documents {
		ref := d.Object.Broker().String()
		out[ref] = append(out[ref], d)
	}
	return out
}

// parseBrokers returns the address of each reference in groups, and every problem
// at once.
func parseBrokers(w *World, given []string, groups map[string][]manifest.Document) (map[string]address.Address, error) {
	flags, err := parseFlags(given)
	if err != nil {
		return nil, err
	}
	out := map[string]address.Address{}
	var errs []error
	for _, ref := range slices.Sorted(maps.Keys(groups)) {
		a, err := find(w, flags, ref)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out[ref] = a
	}
	return out, errors.Join(errs...)
}

var refPattern = regexp.MustCompile(`^(Kafka|RabbitmqCluster|Broker)(/[a-z0-9][-a-z0-9.]*){1,2}$`)

func parseFlags(given []string) (map[string]string, error) {
	out := map[string]string{}
	for _, text := range given {
		ref, url, ok := strings.Cut(text, "=")
		if !ok || !refPattern.MatchString(ref) {
			return nil, errors.New("--broker must be KIND/NAME=URL with kind Kafka, RabbitmqCluster or Broker " +
				"(KIND/NAMESPACE/NAME when the manifests name a namespace)")
		}
		if _, again := out[ref]; again {
			return nil, fmt.Errorf("--broker %s is given twice: give it once", ref)
		}
		out[ref] = url
	}
	return out, nil
}

// find reads the address of a reference from the flags, else the environment.
func find(w *World, flags map[string]string, ref string) (address.Address, error) {
	suffix := variable(ref)
	a, err := read(w, flags, ref, suffix)
	if err != nil {
		return a, err
	}
	if password := w.Getenv("TOPOLOGY_PASSWORD_" + suffix); password != "" {
		a.Password = config.Secret(password)
	}
	if want := protocolOf(ref); want != "" && a.Protocol != want {
		return a, fmt.Errorf("%s has a URL of %s: it must begin with %s:// or %[3]ss://", ref, a.Protocol, want)
	}
	return a, nil
}

func read(w *World, flags map[string]string, ref, suffix string) (address.Address, error) {
	if url, given := flags[ref]; given {
		a, err := address.Parse(url)
		if errors.Is(err, address.ErrPassword) {
			return a, fmt.Errorf("--broker %s: %w as TOPOLOGY_PASSWORD_%s", ref, err, suffix)
		}
		if err != nil {
			return a, fmt.Errorf("--broker %s: the URL %w", ref, err)
		}
		return a, nil
	}
	name := "TOPOLOGY_BROKER_" + suffix
	url := w.Getenv(name)
	if url == "" {
		return address.Address{}, fmt.Errorf("%s has no address: give --broker %s=URL or set %s", ref, ref, name)
	}
	a, err := address.ParseSecret(url)
	if err != nil {
		return a, fmt.Errorf("%s: the URL %w", name, err)
	}
	return a, nil
}

var notLetters = regexp.MustCompile(`[^A-Z0-9]`)

// variable is a reference as part of the name of an environment variable.
func variable(ref string) string {
	return notLetters.ReplaceAllString(strings.ToUpper(ref), "_")
}

// protocolOf is what a kind of resource speaks; empty if it can be either.
func protocolOf(ref string) address.Protocol {
	switch kind, _, _ := strings.Cut(ref, "/"); kind {
	case v1alpha1.BrokerKafka:
		return address.Kafka
	case v1alpha1.BrokerRabbitMQ:
		return address.AMQP
	}
	return ""
}

// misplaced finds topics on a RabbitMQ, and queues and exchanges on a Kafka.
func misplaced(a address.Address, documents []manifest.Document) []manifest.Problem {
	var out []manifest.Problem
	for _, d := range documents {
		if isTopic := d.Object.KindName() == v1alpha1.KindTopic; isTopic != (a.Protocol == address.Kafka) {
			out = append(out, d.At("spec.brokerRef", fmt.Sprintf("names a broker at a %s address; it holds no %s: name another",
				a.Protocol, d.Object.KindName())))
		}
	}
	return out
}

func open(a address.Address) (broker.Session, error) {
	if a.Protocol == address.Kafka {
		return kafka.Open(a)
	}
	return rabbit.Open(a)
}
