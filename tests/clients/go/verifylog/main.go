// Verifylog checks a log directory with Go's checksum-database packages, which share no code with the log:
// its signature, the inclusion of every entry, and that it grew from the earlier checkpoints given.
//
//	verifylog <directory> <vkey> [<earlier checkpoint file>...]
package main

import (
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// path maps a tile to its file: c2sp.org/tlog-tiles has no height in its paths and calls the data entries.
func path(dir string, t tlog.Tile) string {
	name := strings.TrimPrefix(t.Path(), "tile/8/")
	return filepath.Join(dir, "tile", strings.Replace(name, "data/", "entries/", 1))
}

// tiles gives the tiles of a directory to the tlog package. No tile is trusted: what is made of them is checked below.
type tiles string

func (tiles) Height() int                     { return 8 }
func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (dir tiles) ReadTiles(ts []tlog.Tile) (data [][]byte, err error) {
	for _, t := range ts {
		file, err := os.ReadFile(path(string(dir), t))
		if err != nil {
			return nil, err
		}
		data = append(data, file)
	}
	return data, nil
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("usage: verifylog <directory> <vkey> [<earlier checkpoint file>...]")
	}
	dir := os.Args[1]
	tree := open(filepath.Join(dir, "checkpoint"), os.Args[2])
	reader := tlog.TileHashReader(tree, tiles(dir))
	var checked int64
	for n := int64(0); n < tree.N; n += 256 {
		width := 256
		if tree.N-n < 256 {
			width = int(tree.N - n)
		}
		bundle, err := os.ReadFile(path(dir, tlog.Tile{H: 8, L: -1, N: n / 256, W: width}))
		check(err)
		for ; len(bundle) > 0; checked++ {
			length := 2 + int(binary.BigEndian.Uint16(append(bundle[:len(bundle):len(bundle)], 0, 0)))
			if length > len(bundle) {
				log.Fatalf("entry %d is cut short", checked)
			}
			proof, err := tlog.ProveRecord(tree.N, checked, reader)
			check(err)
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, checked, tlog.RecordHash(bundle[2:length])); err != nil {
				log.Fatalf("entry %d: %v", checked, err)
			}
			bundle = bundle[length:]
		}
	}
	if checked != tree.N {
		log.Fatalf("%d entries, but the checkpoint says %d", checked, tree.N)
	}
	for _, file := range os.Args[3:] {
		old := open(file, os.Args[2])
		proof, err := tlog.ProveTree(tree.N, old.N, reader)
		check(err)
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
			log.Fatalf("%s: %v", file, err)
		}
	}
	fmt.Printf("signature ok, %d of %d entries included, %d earlier checkpoints consistent\n", checked, tree.N, len(os.Args[3:]))
}

// open reads a checkpoint and verifies its signature.
func open(file, vkey string) tlog.Tree {
	verifier, err := note.NewVerifier(vkey)
	check(err)
	msg, err := os.ReadFile(file)
	check(err)
	opened, err := note.Open(msg, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		log.Fatalf("%s: not a checkpoint of %s", file, verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	return tlog.Tree{N: size, Hash: root}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
