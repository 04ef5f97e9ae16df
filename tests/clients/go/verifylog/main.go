// Verifylog checks a log directory with Go's checksum-database packages, which share no code with the log.
//
//	verifylog <directory> <vkey> [<directory of earlier checkpoints>]
//
// It proves the inclusion of every entry in the newest checkpoint, that each checkpoint's own tiles lead from
// the one before it to it, and that of any two checkpoints the later begins with the earlier.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"sort"
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
		if errors.Is(err, fs.ErrNotExist) {
			// A partial tile may go once the full one is there, which begins with it.
			full := t
			full.W = 256
			file, err = os.ReadFile(path(string(dir), full))
			file = file[:min(len(file), t.W*tlog.HashSize)]
		}
		if err != nil {
			return nil, err
		}
		data = append(data, file)
	}
	return data, nil
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

// hashes holds the hashes of a log in the tlog package's order, made from its entries alone.
type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) (found []tlog.Hash, err error) {
	for _, i := range indexes {
		if i >= int64(len(h)) {
			return nil, fmt.Errorf("there is no hash %d", i)
		}
		found = append(found, h[i])
	}
	return found, nil
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 || len(os.Args) > 4 {
		log.Fatal("usage: verifylog <directory> <vkey> [<directory of earlier checkpoints>]")
	}
	dir, vkey := os.Args[1], os.Args[2]
	newest := open(filepath.Join(dir, "checkpoint"), vkey)
	trees := []tlog.Tree{newest}
	if len(os.Args) == 4 {
		trees = append(trees, openAll(os.Args[3], vkey)...)
	}
	sort.SliceStable(trees, func(i, j int) bool { return trees[i].N < trees[j].N })
	if last := trees[len(trees)-1]; last.N > newest.N {
		log.Fatalf("the log has %d entries and had %d: it was cut back", newest.N, last.N)
	}
	made := proveEntries(dir, newest)
	proveSteps(dir, trees)
	pairs := provePairs(made, trees)
	fmt.Printf("signatures ok, %d entries included, %d checkpoints, %d pairs consistent\n", newest.N, len(trees), pairs)
}

// proveEntries proves the inclusion of every entry and gives the hashes that the entries make.
func proveEntries(dir string, tree tlog.Tree) (made hashes) {
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
			entry := bundle[2:length]
			proof, err := tlog.ProveRecord(tree.N, checked, reader)
			check(err)
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, checked, tlog.RecordHash(entry)); err != nil {
				log.Fatalf("entry %d: %v", checked, err)
			}
			stored, err := tlog.StoredHashes(checked, entry, made)
			check(err)
			made = append(made, stored...)
			bundle = bundle[length:]
		}
	}
	if checked != tree.N {
		log.Fatalf("%d entries, but the checkpoint says %d", checked, tree.N)
	}
	return made
}

// proveSteps proves from the tiles of each checkpoint that it grew from the one before.
func proveSteps(dir string, trees []tlog.Tree) {
	for i := 1; i < len(trees); i++ {
		if trees[i-1].N > 0 {
			prove(trees[i-1], trees[i], tlog.TileHashReader(trees[i], tiles(dir)))
		}
	}
}

// provePairs proves for any two checkpoints that the later begins with the earlier.
func provePairs(made hashes, trees []tlog.Tree) (pairs int) {
	for i, old := range trees {
		for _, tree := range trees[i+1:] {
			if old.N > 0 {
				prove(old, tree, made)
			}
			pairs++
		}
	}
	return pairs
}

func prove(old, tree tlog.Tree, reader tlog.HashReader) {
	proof, err := tlog.ProveTree(tree.N, old.N, reader)
	check(err)
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
		log.Fatalf("the log of size %d does not begin with that of size %d: %v", tree.N, old.N, err)
	}
}

// openAll reads every checkpoint of a directory.
func openAll(dir, vkey string) (trees []tlog.Tree) {
	files, err := os.ReadDir(dir)
	check(err)
	for _, file := range files {
		trees = append(trees, open(filepath.Join(dir, file.Name()), vkey))
	}
	return trees
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
