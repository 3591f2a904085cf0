// Command wakupeer is a Waku node that does what it is told, on go-ethereum's own p2p package.
//
// It listens on a free port of the loopback, reads one JSON command a line from standard input and
// writes one JSON event a line to standard output:
//
//	{"do":"status","options":{…}}    options of the Status of later sessions
//	{"do":"dial","enode":"enode://…"}
//	{"do":"update","options":{…}}    status update (22), to every peer
//	{"do":"post","envelopes":[…]}    messages (1)
//	{"do":"request","request":{…}}   mail request in its plain form (126)
//	{"do":"send","code":5,"payload":"c0"}
//
//	{"event":"ready","enode":"enode://…"}
//	{"event":"connected","id":…,"name":…,"inbound":…,"version":…}
//	{"event":"packet","code":…,"payload":…,"envelopes":[…]}
//	{"event":"dropped","error":…}
//
// Options that are left out are not sent. Bytes are hex.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"sync"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"
)

const (
	codeStatus   = 0
	codeMessages = 1
	codeUpdate   = 22
	codeRequest  = 126
	codeDirect   = 127
	codes        = 128
)

type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }
func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

type envelope struct {
	Expiry uint32   `json:"expiry"`
	TTL    uint32   `json:"ttl"`
	Topic  hexBytes `json:"topic"`
	Data   hexBytes `json:"data"`
	Nonce  uint64   `json:"nonce"`
}

type options struct {
	Pow    *float64    `json:"pow"`
	Bloom  *hexBytes   `json:"bloom"`
	Light  *bool       `json:"light"`
	Topics *[]hexBytes `json:"topics"`
}

// pairs lists the options as Waku writes them: keys are numbers in waku/1, digits in waku/0.
func (o options) pairs(version uint) []any {
	list := []any{}
	add := func(key uint, value any) {
		if version == 0 {
			list = append(list, []any{fmt.Sprint(key), value})
		} else {
			list = append(list, []any{key, value})
		}
	}
	if o.Pow != nil {
		add(0, math.Float64bits(*o.Pow))
	}
	if o.Bloom != nil {
		add(1, []byte(*o.Bloom))
	}
	if o.Light != nil {
		add(2, *o.Light)
	}
	if o.Topics != nil {
		topics := [][]byte{}
		for _, topic := range *o.Topics {
			topics = append(topics, topic)
		}
		add(5, topics)
	}
	return list
}

type request struct {
	ID     hexBytes   `json:"id"`
	From   uint32     `json:"from"`
	To     uint32     `json:"to"`
	Limit  uint32     `json:"limit"`
	Cursor hexBytes   `json:"cursor"`
	Bloom  hexBytes   `json:"bloom"`
	Topics []hexBytes `json:"topics"`
}

type command struct {
	Do        string     `json:"do"`
	Enode     string     `json:"enode"`
	Options   options    `json:"options"`
	Envelopes []envelope `json:"envelopes"`
	Request   request    `json:"request"`
	Code      uint64     `json:"code"`
	Payload   hexBytes   `json:"payload"`
}

type event map[string]any

type session struct {
	rw      p2p.MsgReadWriter
	version uint
}

type node struct {
	mu       sync.Mutex
	out      *json.Encoder
	status   options
	sessions map[*session]bool
	server   *p2p.Server
}

func (n *node) tell(e event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.out.Encode(e)
}

// run is one session: the Status goes out first, then whatever comes is reported.
func (n *node) run(version uint, peer *p2p.Peer, rw p2p.MsgReadWriter) error {
	n.mu.Lock()
	opts := n.status.pairs(version)
	n.mu.Unlock()
	var status any = opts
	if version == 0 {
		status = []any{version, opts}
	}
	if err := p2p.Send(rw, codeStatus, status); err != nil {
		return err
	}
	s := &session{rw, version}
	n.mu.Lock()
	n.sessions[s] = true
	n.mu.Unlock()
	n.tell(event{"event": "connected", "id": peer.ID().String(), "name": peer.Fullname(), "inbound": peer.Inbound(), "version": version})
	err := n.read(rw)
	n.mu.Lock()
	delete(n.sessions, s)
	n.mu.Unlock()
	n.tell(event{"event": "dropped", "error": fmt.Sprint(err)})
	return err
}

func (n *node) read(rw p2p.MsgReadWriter) error {
	for {
		msg, err := rw.ReadMsg()
		if err != nil {
			return err
		}
		var payload rlp.RawValue
		if err := msg.Decode(&payload); err != nil {
			return err
		}
		e := event{"event": "packet", "code": msg.Code, "payload": hexBytes(payload)}
		if msg.Code == codeMessages || msg.Code == codeDirect {
			var envelopes []envelope
			if err := rlp.DecodeBytes(payload, &envelopes); err != nil {
				return err
			}
			e["envelopes"] = envelopes
		}
		n.tell(e)
	}
}

func (n *node) each(send func(*session) error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for s := range n.sessions {
		if err := send(s); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) do(c command) error {
	switch c.Do {
	case "status":
		n.mu.Lock()
		n.status = c.Options
		n.mu.Unlock()
	case "dial":
		other, err := enode.ParseV4(c.Enode)
		if err != nil {
			return err
		}
		n.server.AddPeer(other)
	case "update":
		return n.each(func(s *session) error { return p2p.Send(s.rw, codeUpdate, c.Options.pairs(s.version)) })
	case "post":
		return n.each(func(s *session) error { return p2p.Send(s.rw, codeMessages, c.Envelopes) })
	case "request":
		return n.each(func(s *session) error { return p2p.Send(s.rw, codeRequest, c.Request) })
	case "send":
		return n.each(func(s *session) error { return p2p.Send(s.rw, c.Code, rlp.RawValue(c.Payload)) })
	default:
		return fmt.Errorf("no command %q", c.Do)
	}
	return nil
}

func main() {
	version := flag.Uint("version", 1, "of Waku: 0 or 1")
	flag.Parse()
	key, err := crypto.GenerateKey()
	if err != nil {
		panic(err)
	}
	n := &node{out: json.NewEncoder(os.Stdout), sessions: map[*session]bool{}}
	n.server = &p2p.Server{Config: p2p.Config{
		PrivateKey:  key,
		Name:        "wakupeer/v1/go",
		MaxPeers:    20,
		NoDiscovery: true,
		ListenAddr:  "127.0.0.1:0",
		Protocols: []p2p.Protocol{{
			Name: "waku", Version: *version, Length: codes,
			Run: func(peer *p2p.Peer, rw p2p.MsgReadWriter) error { return n.run(*version, peer, rw) },
		}},
	}}
	if err := n.server.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	n.tell(event{"event": "ready", "enode": n.server.Self().URLv4()})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var c command
		err := json.Unmarshal(lines.Bytes(), &c)
		if err == nil {
			err = n.do(c)
		}
		if err != nil {
			n.tell(event{"event": "error", "error": err.Error()})
		}
	}
	n.server.Stop()
}
