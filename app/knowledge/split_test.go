package knowledge

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
	"unsafe"
)

func TestSplitMarkdown(t *testing.T) {
	const text = "preface\n" +
		"# Install\n\n## Debian ##\napt\n```sh\n# a comment\n```\n~~~~\n~~~\n# no heading\n~~~~~\n" +
		"### Old\nsid\n## C#\nsharp\n    # code\n#tag\n####### seven\n# Use\nend\n# Empty"
	type part struct{ heading, text string }
	want := []part{
		{"", "preface"},
		{"Install > Debian",
			"# Install\n\n## Debian ##\napt\n```sh\n# a comment\n```\n~~~~\n~~~\n# no heading\n~~~~~"},
		{"Install > Debian > Old", "### Old\nsid"},
		{"Install > C#", "## C#\nsharp\n    # code\n#tag\n####### seven"},
		{"Use", "# Use\nend"},
		{"Empty", "# Empty"},
	}
	var got []part
	for i, chunk := range split(Markdown, text) {
		if chunk.Ordinal != i {
			t.Errorf("chunk %d has ordinal %d", i, chunk.Ordinal)
		}
		got = append(got, part{chunk.Heading, chunk.Text})
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if chunks := split(PlainText, text); len(chunks) != 1 || chunks[0].Heading != "" || chunks[0].Text != text {
		t.Errorf("plain text: %+v", chunks)
	}
}

func TestParseHeading(t *testing.T) {
	for line, want := range map[string]struct {
		level int
		title string
	}{
		"# a\n": {1, "a"}, "  ###### b  \r\n": {6, "b"}, "#\n": {1, ""}, "#\ttab": {1, "tab"}, "## a ##": {2, "a"},
		"## ##": {2, ""}, "# a#": {1, "a#"}, "# a # b": {1, "a # b"},
		"#a": {}, "    # a": {}, "####### a": {}, "": {}, "a # b": {},
		"# " + strings.Repeat("é", 150): {1, strings.Repeat("é", 100)},
	} {
		if level, title := parseHeading(line); level != want.level || title != want.title {
			t.Errorf("%q: level %d, %q; want %d, %q", line, level, title, want.level, want.title)
		}
	}
}

func TestSplitText(t *testing.T) {
	// The first piece ends with first, the second begins with second.
	paragraph := strings.Repeat("word ", 139) + "end." // 699 bytes
	sentence := strings.Repeat("a", 99) + ". "         // 101 bytes
	for name, test := range map[string]struct{ text, first, second string }{
		"paragraphs": {paragraph + "\n\n" + strings.Repeat("next ", 200), "word end.", "word word"},
		"sentences":  {strings.Repeat(sentence, 20), "aaa.", strings.Repeat("a", 99) + ". a"},
		"lines":      {strings.Repeat(strings.Repeat("b", 99)+"\n", 20), "bbb", strings.Repeat("b", 99) + "\n"},
		"words":      {strings.Repeat("ccccccc ", 300), "c", "ccccccc ccccccc "},
		"no spaces":  {strings.Repeat("é", 1000), "é", "é"},
	} {
		t.Run(name, func(t *testing.T) {
			pieces := splitText(test.text)
			if len(pieces) < 2 || !strings.HasSuffix(pieces[0], test.first) ||
				!strings.HasPrefix(pieces[1], test.second) {
				t.Fatalf("got %q", pieces)
			}
			if name == "paragraphs" && pieces[0] != paragraph {
				t.Errorf("first piece %q", pieces[0])
			}
			for _, piece := range pieces[:len(pieces)-1] {
				if len(piece) <= chunkSize/2-1 {
					t.Errorf("piece of %d bytes", len(piece))
				}
			}
			shared := offset(test.text, pieces[0]) + len(pieces[0]) - offset(test.text, pieces[1])
			if shared <= 0 || shared > overlap {
				t.Errorf("%d bytes overlap, want 1 to %d", shared, overlap)
			}
		})
	}
}

// offset returns where a part of a text begins that shares its memory.
func offset(text, part string) int {
	return int(uintptr(unsafe.Pointer(unsafe.StringData(part))) -
		uintptr(unsafe.Pointer(unsafe.StringData(text))))
}

func FuzzSplit(f *testing.F) {
	for _, seed := range []string{
		"", " \n", "# a\n\ntext", "```\n# a\n```\n# b", strings.Repeat("é", 900),
		strings.Repeat("A sentence. ", 200),
		strings.Repeat(" ", 2000) + "x" + strings.Repeat("\n", 3000) + "y",
		"x\u00a0" + strings.Repeat("\u2028", 700) + "y",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, text string, markdown bool) {
		if !storable(text) {
			t.Skip()
		}
		contentType := PlainText
		if markdown {
			contentType = Markdown
		}
		chunks := split(contentType, text)
		if blank := strings.TrimSpace(text) == ""; blank != (len(chunks) == 0) {
			t.Fatalf("%d chunks, blank %t", len(chunks), blank)
		}
		covered := 0 // up to here all but white space is in a chunk
		for i, chunk := range chunks {
			if chunk.Text == "" || len(chunk.Text) > chunkSize || !utf8.ValidString(chunk.Text) ||
				chunk.Ordinal != i || !utf8.ValidString(chunk.Heading) || len(chunk.Heading) > 6*(maxHeading+3) {
				t.Fatalf("chunk %d: %d bytes, ordinal %d, %q", i, len(chunk.Text), chunk.Ordinal, chunk.Heading)
			}
			start := offset(text, chunk.Text)
			end := start + len(chunk.Text)
			if end <= covered || start < covered-overlap ||
				start > covered && strings.TrimSpace(text[covered:start]) != "" {
				t.Fatalf("chunk %d has bytes %d to %d after %d", i, start, end, covered)
			}
			covered = end
		}
		if rest := strings.TrimSpace(text[covered:]); rest != "" {
			t.Fatalf("not covered: %q", rest)
		}
	})
}
