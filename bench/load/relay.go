package main

import (
	"sync"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/rlp"
)

const (
	outboxLength = 1 << 16 // envelopes; a peer that does not read loses what is above
	bundleLength = 256     // envelopes a packet
)

// Relay passes every envelope that it has not seen on to all peers but the one it came from. It
// checks nothing, forgets nothing, and waits for no company: what is ready goes out as one packet.
type Relay struct {
	server *p2p.Server
	mu     sync.Mutex
	seen   map[[32]byte]struct{}
	peers  map[*outbox]struct{}
}

// outbox holds what one peer is still to be sent.
type outbox struct{ queue chan rlp.RawValue }

// StartRelay listens on addr.
func StartRelay(addr string) (*Relay, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, err
	}
	relay := &Relay{seen: map[[32]byte]struct{}{}, peers: map[*outbox]struct{}{}}
	relay.server = &p2p.Server{Config: p2p.Config{
		PrivateKey:  key,
		MaxPeers:    100,
		NoDiscovery: true,
		NoDial:      true,
		ListenAddr:  addr,
		Name:        "Calibration/v1.0.0/linux-amd64/go",
		Protocols:   []p2p.Protocol{{Name: "waku", Version: 1, Length: codes, Run: relay.serve}},
	}}
	return relay, relay.server.Start()
}

// Enode returns the relay's URL.
func (relay *Relay) Enode() string { return relay.server.Self().URLv4() }

// Stop ends all sessions.
func (relay *Relay) Stop() { relay.server.Stop() }

func (relay *Relay) serve(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
	if err := greet(rw); err != nil {
		return err
	}
	self := &outbox{make(chan rlp.RawValue, outboxLength)}
	relay.mu.Lock()
	relay.peers[self] = struct{}{}
	relay.mu.Unlock()
	written := make(chan struct{})
	go func() {
		defer close(written)
		self.write(rw)
	}()
	err := readMessages(rw, func(raw []byte) error { return relay.pass(self, raw) })
	relay.mu.Lock()
	delete(relay.peers, self)
	close(self.queue)
	relay.mu.Unlock()
	<-written
	return err
}

// pass checks that raw is an envelope and gives it to all other peers on first sight.
func (relay *Relay) pass(from *outbox, raw []byte) error {
	var decoded envelope
	if err := rlp.DecodeBytes(raw, &decoded); err != nil {
		return err
	}
	hash := crypto.Keccak256Hash(raw)
	relay.mu.Lock()
	defer relay.mu.Unlock()
	if _, known := relay.seen[hash]; known {
		return nil
	}
	relay.seen[hash] = struct{}{}
	for peer := range relay.peers {
		if peer != from {
			select {
			case peer.queue <- raw:
			default:
			}
		}
	}
	return nil
}

// write sends what is queued, everything that is ready in one packet, until the queue is closed.
func (box *outbox) write(rw p2p.MsgWriter) {
	failed := false
	for first := range box.queue {
		bundle := []rlp.RawValue{first}
		for len(bundle) < bundleLength && len(box.queue) > 0 {
			bundle = append(bundle, <-box.queue)
		}
		if !failed { // afterwards the queue is only emptied
			failed = p2p.Send(rw, messagesCode, bundle) != nil
		}
	}
}
