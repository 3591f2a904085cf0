package main

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/rlp"
)

const (
	statusCode   = 0
	messagesCode = 1
	codes        = 128
	topicSize    = 4
)

// envelope is one envelope of Waku v1.
type envelope struct {
	Expiry uint32
	TTL    uint32
	Topic  [topicSize]byte
	Data   []byte
	Nonce  uint64
}

// newEnvelope makes an envelope whose data starts with its number.
func newEnvelope(number uint64, size int, ttl uint32) envelope {
	data := make([]byte, size)
	rand.Read(data)
	binary.BigEndian.PutUint64(data, number)
	return envelope{
		Expiry: uint32(time.Now().Unix()) + ttl,
		TTL:    ttl,
		Topic:  [topicSize]byte{byte(number), byte(number >> 8), byte(number >> 16), 1},
		Data:   data,
		Nonce:  number,
	}
}

// status wants every topic at any proof of work.
func status() []any {
	everything := make([]byte, 64)
	for i := range everything {
		everything[i] = 0xff
	}
	return []any{
		[]any{uint(0), uint64(0)},
		[]any{uint(1), everything},
		[]any{uint(2), false},
		[]any{uint(3), false},
	}
}

// greet exchanges Status packets.
func greet(rw p2p.MsgReadWriter) error {
	sent := make(chan error, 1)
	go func() { sent <- p2p.Send(rw, statusCode, status()) }()
	message, err := rw.ReadMsg()
	if err != nil {
		return err
	}
	if message.Code != statusCode {
		return fmt.Errorf("packet %d came before the Status", message.Code)
	}
	if err := message.Discard(); err != nil {
		return err
	}
	return <-sent
}

// readMessages hands the raw envelopes of each Messages packet to take, until the session ends.
// The bytes are the packet's own and not used again.
func readMessages(rw p2p.MsgReader, take func(raw []byte) error) error {
	for {
		message, err := rw.ReadMsg()
		if err != nil {
			return err
		}
		if message.Code != messagesCode {
			if err := message.Discard(); err != nil {
				return err
			}
			continue
		}
		payload, err := io.ReadAll(message.Payload)
		if err != nil {
			return err
		}
		rest, _, err := rlp.SplitList(payload)
		if err != nil {
			return err
		}
		for len(rest) > 0 {
			_, _, after, err := rlp.Split(rest)
			if err != nil {
				return err
			}
			if err := take(rest[:len(rest)-len(after)]); err != nil {
				return err
			}
			rest = after
		}
	}
}

// numberOf reads the number at the start of an envelope's data.
func numberOf(raw []byte) (uint64, error) {
	fields, _, err := rlp.SplitList(raw)
	if err != nil {
		return 0, err
	}
	for range 3 { // expiry, TTL, topic
		if _, _, fields, err = rlp.Split(fields); err != nil {
			return 0, err
		}
	}
	data, _, err := rlp.SplitString(fields)
	if err != nil || len(data) < 8 {
		return 0, fmt.Errorf("data of %d bytes holds no number (%v)", len(data), err)
	}
	return binary.BigEndian.Uint64(data), nil
}
