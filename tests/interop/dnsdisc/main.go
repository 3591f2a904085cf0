// Command dnsdisc lets go-ethereum's own p2p/dnsdisc judge our trees.
//
//	dnsdisc sync URL SERVER      walk the tree that the DNS server at SERVER (host:port) serves
//	dnsdisc iterate URL SERVER N visit nodes with the random iterator until N are known
//	dnsdisc sign KEY DOMAIN SEQ  build and sign a tree from the JSON on standard input
//
// Results go to standard output as JSON. A failure is a line on standard error and exit code 1.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"sort"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/dnsdisc"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

type content struct {
	Nodes []string `json:"nodes"`
	Links []string `json:"links"`
}

type synced struct {
	content
	Seq uint `json:"seq"`
}

type signed struct {
	URL     string            `json:"url"`
	Records map[string]string `json:"records"`
}

func main() {
	result, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) (any, error) {
	switch {
	case len(args) == 3 && args[0] == "sync":
		return syncTree(args[1], args[2])
	case len(args) == 4 && args[0] == "iterate":
		return iterate(args[1], args[2], args[3])
	case len(args) == 4 && args[0] == "sign":
		return sign(args[1], args[2], args[3])
	default:
		return nil, fmt.Errorf("usage: dnsdisc sync URL SERVER | iterate URL SERVER N | sign KEY DOMAIN SEQ")
	}
}

// client asks the one server and nobody else, as often as it likes.
func client(server string) *dnsdisc.Client {
	var dialer net.Dialer
	return dnsdisc.NewClient(dnsdisc.Config{
		Timeout:   30 * time.Second,
		RateLimit: 1e6,
		Resolver: &net.Resolver{
			PreferGo: true,
			Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, network, server)
			},
		},
	})
}

func syncTree(url, server string) (any, error) {
	tree, err := client(server).SyncTree(url)
	if err != nil {
		return nil, err
	}
	result := synced{Seq: tree.Seq()}
	result.Links = append([]string{}, tree.Links()...)
	result.Nodes = texts(tree.Nodes())
	sort.Strings(result.Links)
	return result, nil
}

func iterate(url, server, count string) (any, error) {
	want, err := strconv.Atoi(count)
	if err != nil {
		return nil, err
	}
	iterator, err := client(server).NewIterator(url)
	if err != nil {
		return nil, err
	}
	deadline := time.AfterFunc(time.Minute, iterator.Close)
	defer deadline.Stop()
	defer iterator.Close()
	seen := make(map[enode.ID]*enode.Node)
	for len(seen) < want && iterator.Next() {
		seen[iterator.Node().ID()] = iterator.Node()
	}
	nodes := make([]*enode.Node, 0, len(seen))
	for _, node := range seen {
		nodes = append(nodes, node)
	}
	return content{Nodes: texts(nodes), Links: []string{}}, nil
}

func sign(keyText, domain, seqText string) (any, error) {
	key, err := crypto.HexToECDSA(keyText)
	if err != nil {
		return nil, err
	}
	seq, err := strconv.ParseUint(seqText, 10, 64)
	if err != nil {
		return nil, err
	}
	var input content
	if err := json.NewDecoder(os.Stdin).Decode(&input); err != nil {
		return nil, err
	}
	nodes := make([]*enode.Node, len(input.Nodes))
	for i, text := range input.Nodes {
		if nodes[i], err = enode.Parse(enode.ValidSchemes, text); err != nil {
			return nil, fmt.Errorf("node %d: %w", i, err)
		}
	}
	tree, err := dnsdisc.MakeTree(uint(seq), nodes, input.Links)
	if err != nil {
		return nil, err
	}
	url, err := tree.Sign(key, domain)
	if err != nil {
		return nil, err
	}
	return signed{URL: url, Records: tree.ToTXT(domain)}, nil
}

func texts(nodes []*enode.Node) []string {
	result := make([]string, len(nodes))
	for i, node := range nodes {
		result[i] = node.String()
	}
	sort.Strings(result)
	return result
}
