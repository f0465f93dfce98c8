package world

import (
	"regexp"
	"strings"
)

// behaviour is what a token makes of an operation.
type behaviour string

const (
	works    behaviour = "ok"
	declined behaviour = "declined"
	flaky    behaviour = "flaky"
	slow     behaviour = "slow"
	late     behaviour = "late"
)

// The operations, as tokens and statements name them.
const (
	opAuthorize = "authorize"
	opCapture   = "capture"
	opVoid      = "void"
	opRefund    = "refund"
	opLabel     = "label"
	opAll       = "all"
)

// flakyFailures is how often a flaky key fails before it works.
const flakyFailures = 2

const tokenPattern = `tok_(ok|declined|flaky|slow|late)(_(authorize|capture|void|refund|label|all))?`

var (
	tokenOnly   = regexp.MustCompile(`^` + tokenPattern + `$`)
	addressWord = regexp.MustCompile(`\btok_[A-Za-z0-9_]*`)
)

// validToken reports whether s is a token of the grammar in openapi.yaml.
func validToken(s string) bool { return tokenOnly.MatchString(s) }

// tokenIn returns the token that an address holds, and whether it is one of the
// grammar. An address without a token works.
func tokenIn(address string) (token string, valid bool) {
	word := addressWord.FindString(address)
	if word == "" {
		return "tok_ok", true
	}
	return word, validToken(word)
}

// behave returns what token does to operation. A token without an operation aims at
// the first thing that it can meet: authorize, or label.
func behave(token, operation string) behaviour {
	parts := strings.Split(strings.TrimPrefix(token, "tok_"), "_")
	aim := opAuthorize
	if operation == opLabel {
		aim = opLabel
	}
	if len(parts) == 2 {
		aim = parts[1]
	}
	if aim != opAll && aim != operation {
		return works
	}
	return behaviour(parts[0])
}
