// check reads a history of tickets' ownership as JSON lines and says whether each ticket's part is linearizable: one owner at a time, in an
// order that fits what was answered and when. It answers "ok N" (so many tickets), or "illegal TICKET" and the operations of the shortest
// beginning of that ticket's history that has no such order, as JSON lines. Exit code 0, or 1 when something is illegal. A ticket that takes
// too long is counted on a line of its own ("undecided N") and is no failure.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

const patience = 20 * time.Second // a ticket

// An operation. What is done: "got" (the order has the ticket), "taken" (somebody else has), "cancel" (its buyer ends the order), "kept"
// (a cancellation was refused, as the order is complete), "end" (the order ended by itself), "complete" (it was paid). Times are in
// microseconds. Sure: it had the outcome that is named; otherwise it may have, at any time from its start on.
type operation struct {
	Ticket string `json:"ticket"`
	Do     string `json:"do"`
	Order  string `json:"order"`
	Start  int64  `json:"start"`
	End    int64  `json:"end"`
	Sure   bool   `json:"sure"`
	Line   int    `json:"line"` // of the history of requests; 0: it is known from the database
}

type owner struct {
	order string // none: the ticket is free
	sold  bool
}

func step(state, input, _ any) (bool, any) {
	now, op := state.(owner), input.(operation)
	mine := now.order == op.Order && op.Order != ""
	switch op.Do {
	case "got":
		if now.order == "" {
			return true, owner{order: op.Order}
		}
	case "taken":
		return now.order != "" || !op.Sure, now
	case "cancel":
		if mine && !now.sold {
			return true, owner{}
		}
		return !mine || !op.Sure, now
	case "kept":
		return mine && now.sold || !op.Sure, now
	case "end":
		if mine && !now.sold {
			return true, owner{}
		}
	case "complete":
		if mine && !now.sold {
			return true, owner{order: op.Order, sold: true}
		}
	default:
		panic("what is " + op.Do)
	}
	return !op.Sure, now
}

var model = porcupine.Model{
	Init:              func() any { return owner{} },
	Step:              step,
	DescribeOperation: func(input, _ any) string { return fmt.Sprintf("%v", input) },
}

func check(history []operation) porcupine.CheckResult {
	operations := make([]porcupine.Operation, 0, len(history))
	for _, op := range history {
		operations = append(operations, porcupine.Operation{Input: op, Call: op.Start, Return: op.End})
	}
	return porcupine.CheckOperationsTimeout(model, operations, patience)
}

// What had begun before that moment; what had not ended yet may have happened or not.
func until(history []operation, moment int64) []operation {
	var begun []operation
	for _, op := range history {
		if op.Start > moment {
			continue
		}
		if op.End > moment {
			op.End, op.Sure = math.MaxInt64, false
		}
		begun = append(begun, op)
	}
	return begun
}

// The shortest beginning that is illegal: it ends with an answer.
func shortest(history []operation) []operation {
	ends := make([]int64, 0, len(history))
	for _, op := range history {
		ends = append(ends, op.End)
	}
	sort.Slice(ends, func(i, j int) bool { return ends[i] < ends[j] })
	for _, end := range ends {
		if beginning := until(history, end); check(beginning) == porcupine.Illegal {
			return beginning
		}
	}
	return history
}

func read() (map[string][]operation, error) {
	tickets := map[string][]operation{}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var op operation
		if err := json.Unmarshal(lines.Bytes(), &op); err != nil {
			return nil, err
		}
		tickets[op.Ticket] = append(tickets[op.Ticket], op)
	}
	return tickets, lines.Err()
}

func main() {
	tickets, err := read()
	if err != nil {
		fmt.Fprintln(os.Stderr, "the history cannot be read:", err)
		os.Exit(2)
	}
	undecided := 0
	for ticket, history := range tickets {
		switch check(history) {
		case porcupine.Unknown:
			undecided++
		case porcupine.Illegal:
			fmt.Println("illegal", ticket)
			for _, op := range shortest(history) {
				line, _ := json.Marshal(op)
				fmt.Println(string(line))
			}
			os.Exit(1)
		}
	}
	if undecided > 0 {
		fmt.Println("undecided", undecided)
	}
	fmt.Println("ok", len(tickets))
}
