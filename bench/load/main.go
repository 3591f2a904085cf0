// Load drives one Waku node from outside and measures it: it is the sender and the receivers.
//
//	load run -enode URL -pid PID [flags]   send envelopes through the node, print one JSON object
//	load calibrate -listen ADDR            be a plain relay on go-ethereum's p2p until interrupted
//
// Both speak RLPx and waku/1 through go-ethereum's p2p package. The plain relay does the least that
// a relay can do (decode, deduplicate by hash, pass on) and so says how fast the machine is: figures
// of two days compare as ratios to it.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("usage: load run|calibrate [flags]"))
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	switch os.Args[1] {
	case "run":
		var plan Plan
		flags.StringVar(&plan.Enode, "enode", "", "enode URL of the node")
		flags.IntVar(&plan.PID, "pid", 0, "process id of the node")
		flags.IntVar(&plan.Envelopes, "envelopes", 20000, "how many to send")
		flags.IntVar(&plan.Size, "size", 300, "bytes of data in each")
		flags.IntVar(&plan.Batch, "batch", 10, "envelopes a packet")
		flags.IntVar(&plan.Receivers, "receivers", 1, "how many peers receive")
		flags.Float64Var(&plan.Rate, "rate", 0, "envelopes a second; 0: as fast as the node reads")
		flags.UintVar(&plan.TTL, "ttl", 20, "seconds")
		flags.DurationVar(&plan.Patience, "patience", 10*time.Second, "give up when nothing has arrived for so long")
		flags.Parse(os.Args[2:])
		result, err := plan.Run()
		if err != nil {
			fail(err)
		}
		if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
			fail(err)
		}
	case "calibrate":
		listen := flags.String("listen", "127.0.0.1:0", "address")
		flags.Parse(os.Args[2:])
		relay, err := StartRelay(*listen)
		if err != nil {
			fail(err)
		}
		fmt.Println(relay.Enode())
		interrupted := make(chan os.Signal, 1)
		signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
		<-interrupted
		relay.Stop()
	default:
		fail(fmt.Errorf("unknown command %q", os.Args[1]))
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "load:", err)
	os.Exit(1)
}
