package main

import (
	"fmt"
	"math"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

const handshakePatience = 30 * time.Second

// Plan says what to send through which node.
type Plan struct {
	Enode     string
	PID       int
	Envelopes int
	Size      int
	Batch     int
	Receivers int
	Rate      float64
	TTL       uint
	Patience  time.Duration
}

// Result is what came of a plan. Latencies are from just before an envelope's packet is written to
// just after the packet that brings it is read.
type Result struct {
	Envelopes       int     `json:"envelopes"`
	Receivers       int     `json:"receivers"`
	Received        int     `json:"received"`   // all receivers together, each envelope once for each
	Duplicates      int     `json:"duplicates"` // received again by the same receiver
	SendSeconds     float64 `json:"send_seconds"`
	ElapsedSeconds  float64 `json:"elapsed_seconds"`
	PerSecond       float64 `json:"envelopes_per_second"`
	LatencyP50      float64 `json:"latency_p50_ms"`
	LatencyP99      float64 `json:"latency_p99_ms"`
	CPUMicroseconds float64 `json:"cpu_us_per_envelope"`
	PeakMegabytes   float64 `json:"peak_mb"`
}

// receiver notes when each envelope arrived first.
type receiver struct {
	arrived    []atomic.Int64 // nanoseconds since the start, by number; 0: not yet
	duplicates atomic.Int64
}

// Run connects all peers, sends, waits for the last envelope and measures.
func (plan *Plan) Run() (*Result, error) {
	target, err := enode.ParseV4(plan.Enode)
	if err != nil {
		return nil, err
	}
	if plan.Size < 8 || plan.Batch < 1 || plan.Envelopes < 1 || plan.Receivers < 1 {
		return nil, fmt.Errorf("size is at least 8, batch, envelopes and receivers at least 1")
	}
	start := time.Now()
	base := uint64(start.UnixNano())
	var count, lastArrival atomic.Int64
	receivers := make([]*receiver, plan.Receivers)
	for i := range receivers {
		one := &receiver{arrived: make([]atomic.Int64, plan.Envelopes)}
		receivers[i] = one
		_, stop, err := connect(target, func(raw []byte) error {
			number, err := numberOf(raw)
			if err != nil || number-base >= uint64(plan.Envelopes) {
				return err // an envelope of somebody else is no error
			}
			now := int64(time.Since(start))
			if !one.arrived[number-base].CompareAndSwap(0, now) {
				one.duplicates.Add(1)
				return nil
			}
			lastArrival.Store(now)
			count.Add(1)
			return nil
		})
		if err != nil {
			return nil, err
		}
		defer stop()
	}
	writer, stop, err := connect(target, func([]byte) error { return nil })
	if err != nil {
		return nil, err
	}
	defer stop()
	time.Sleep(500 * time.Millisecond) // let handshakes and backlogs settle

	cpu, err := cpuSeconds(plan.PID)
	if err != nil {
		return nil, err
	}
	began := time.Since(start)
	lastArrival.Store(int64(began))
	sent, err := plan.send(writer, base, start)
	if err != nil {
		return nil, err
	}
	sendTime := time.Since(start) - began
	wanted := int64(plan.Envelopes * plan.Receivers)
	for count.Load() < wanted && time.Since(start)-time.Duration(lastArrival.Load()) < plan.Patience {
		time.Sleep(20 * time.Millisecond)
	}
	cpuAfter, err := cpuSeconds(plan.PID)
	if err != nil {
		return nil, err
	}
	peak, err := peakMegabytes(plan.PID)
	if err != nil {
		return nil, err
	}
	result := &Result{
		Envelopes:       plan.Envelopes,
		Receivers:       plan.Receivers,
		Received:        int(count.Load()),
		SendSeconds:     sendTime.Seconds(),
		ElapsedSeconds:  (time.Duration(lastArrival.Load()) - began).Seconds(),
		CPUMicroseconds: (cpuAfter - cpu) / float64(plan.Envelopes) * 1e6,
		PeakMegabytes:   peak,
	}
	result.PerSecond = float64(result.Received) / float64(plan.Receivers) / result.ElapsedSeconds
	result.addLatencies(receivers, sent)
	return result, nil
}

// send writes all packets; it returns when each envelope's was written, by number.
func (plan *Plan) send(writer p2p.MsgWriter, base uint64, start time.Time) ([]int64, error) {
	sent := make([]int64, plan.Envelopes)
	began := time.Now()
	for next := 0; next < plan.Envelopes; {
		packet := make([]envelope, 0, plan.Batch)
		first := next
		for ; len(packet) < plan.Batch && next < plan.Envelopes; next++ {
			packet = append(packet, newEnvelope(base+uint64(next), plan.Size, uint32(plan.TTL)))
		}
		now := int64(time.Since(start))
		for i := first; i < next; i++ {
			sent[i] = now
		}
		if err := p2p.Send(writer, messagesCode, packet); err != nil {
			return nil, fmt.Errorf("sending envelope %d: %w", first, err)
		}
		if plan.Rate > 0 {
			due := began.Add(time.Duration(float64(next) / plan.Rate * float64(time.Second)))
			time.Sleep(time.Until(due))
		}
	}
	return sent, nil
}

func (result *Result) addLatencies(receivers []*receiver, sent []int64) {
	latencies := make([]float64, 0, result.Received)
	for _, one := range receivers {
		result.Duplicates += int(one.duplicates.Load())
		for i := range one.arrived {
			if at := one.arrived[i].Load(); at != 0 {
				latencies = append(latencies, float64(at-sent[i])/float64(time.Millisecond))
			}
		}
	}
	sort.Float64s(latencies)
	quantile := func(q float64) float64 {
		if len(latencies) == 0 {
			return -1
		}
		return math.Round(latencies[int(q*float64(len(latencies)-1))]*100) / 100
	}
	result.LatencyP50, result.LatencyP99 = quantile(0.5), quantile(0.99)
}

// connect dials the node as a new peer; take gets every raw envelope that arrives.
func connect(target *enode.Node, take func(raw []byte) error) (p2p.MsgWriter, func(), error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, nil, err
	}
	up := make(chan p2p.MsgWriter, 1)
	var once sync.Once
	server := &p2p.Server{Config: p2p.Config{
		PrivateKey:  key,
		MaxPeers:    1,
		NoDiscovery: true,
		Name:        "Load/v1.0.0/linux-amd64/go",
		Protocols: []p2p.Protocol{{
			Name: "waku", Version: 1, Length: codes,
			Run: func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
				if err := greet(rw); err != nil {
					return err
				}
				once.Do(func() { up <- rw })
				return readMessages(rw, take)
			},
		}},
	}}
	if err := server.Start(); err != nil {
		return nil, nil, err
	}
	server.AddPeer(target)
	select {
	case writer := <-up:
		return writer, server.Stop, nil
	case <-time.After(handshakePatience):
		server.Stop()
		return nil, nil, fmt.Errorf("no session with %s within %s", target.URLv4(), handshakePatience)
	}
}
