package main

import (
	"flag"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables into docs/configuration.md instead of comparing")

// between are the markers in docs/configuration.md and what is between them.
var between = regexp.MustCompile(`(?s)(<!-- reference: written by make golden -->\n).*(<!-- end of reference -->)`)

func TestDocumentIsUpToDate(t *testing.T) {
	const path = "../../docs/configuration.md"
	tables, err := reference("../..")
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !between.Match(document) {
		t.Fatalf("%s has no markers", path)
	}
	want := between.ReplaceAllLiteral(document, slices.Concat(between.FindSubmatch(document)[1], []byte(tables),
		between.FindSubmatch(document)[2]))
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(want) != string(document) {
		t.Errorf("%s is out of date: run `make golden`, or put the output of `make reference` into it", path)
	}
}

// DefaultColor is a constant that a comment refers to.
const DefaultColor = "blue"

type embedded struct {
	// Color of it. Default DefaultColor; none where Name is given.
	Color string `json:"color"`
}

type example struct {
	embedded
	// Name of the region: one of AWS. Required unless Items is given.
	Name string `json:"name"`
	// Items are what Name says. https://example.com/items
	Items []*item `json:"items"`

	Hidden string
}

type item struct {
	// Count is a|b.
	Count int               `json:"count"`
	Plain map[string]string `json:"plain"` // Plain has them. Default: none.
	Price float64           `json:"price"` // Price of one.
}

func TestRows(t *testing.T) {
	sources := &sources{root: ".", parsed: map[string]*source{}}
	// Test packages have the path of the package that they test.
	sources.root = strings.Repeat("../", 2)
	got, err := sources.rows(reflect.TypeFor[example](), "")
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"`color`", "string", "`blue`; none where Name is given", "`color` of it."},
		{"`name`", "string", "required unless `items` is given", "`name` of the region: one of AWS."},
		{"`items`", "list of objects", "", "`items` are what Name says. https://example.com/items"},
		{"`items[].count`", "whole number", "", "`count` is a\\|b."},
		{"`items[].plain`", "map of strings", "none", "`plain` has them."},
		{"`items[].price`", "number", "", "`price` of one."},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("rows are\n%q\nwant\n%q", got, want)
	}
}

type uncommented struct {
	First  string `json:"first"`
	Second string `json:"second"`
}

func TestFieldWithoutCommentIsAnError(t *testing.T) {
	sources := &sources{root: "../..", parsed: map[string]*source{}}
	_, err := sources.rows(reflect.TypeFor[uncommented](), "")
	for _, want := range []string{"uncommented.First has no comment", "uncommented.Second has no comment"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %q", err, want)
		}
	}
}
