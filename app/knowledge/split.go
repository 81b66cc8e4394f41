package knowledge

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// chunkSize and overlap are in bytes: about 400 tokens, and a sentence or two.
	chunkSize = 1200
	overlap   = 150
)

// split cuts a text into chunks. Markdown is cut at headings first. Every character of the text but white
// space is in at least one chunk.
func split(contentType ContentType, content string) []Chunk {
	sections := []section{{text: content}}
	if contentType == Markdown {
		sections = splitHeadings(content)
	}
	var chunks []Chunk
	for _, section := range sections {
		for _, text := range splitText(section.text) {
			chunks = append(chunks, Chunk{Ordinal: len(chunks), Heading: section.heading, Text: text})
		}
	}
	return chunks
}

// splitText cuts a text at the ends of paragraphs, else of sentences, else of words.
func splitText(text string) []string {
	var pieces []string
	for text = strings.TrimSpace(text); text != ""; {
		if len(text) <= chunkSize {
			return append(pieces, text)
		}
		cut := cutIndex(text)
		piece, rest := strings.TrimSpace(text[:cut]), strings.TrimSpace(text[cut:])
		pieces = append(pieces, piece)
		// Across a wide gap there is nothing to share.
		if gap := len(text) - len(rest) - len(piece); gap <= overlap {
			rest = strings.TrimSpace(text[overlapIndex(piece):])
		}
		text = rest
	}
	return pieces
}

// cutIndex returns where a text that is larger than a chunk is cut: in the second half of the chunk, so that
// chunks do not get small.
func cutIndex(text string) int {
	window := firstBytes(text, chunkSize)
	for _, ends := range [][]string{
		{"\n\n", "\n\r\n"},
		{". ", "! ", "? ", ".\n", "!\n", "?\n", "。", "！", "？"},
		{"\n"},
		{" ", "\t"},
	} {
		last := -1
		for _, end := range ends {
			if i := strings.LastIndex(window, end); i >= 0 {
				last = max(last, i+len(end))
			}
		}
		if last > chunkSize/2 {
			return last
		}
	}
	return len(window)
}

// overlapIndex returns where the chunk after a piece begins: up to overlap bytes before its end, at a word if
// there is one.
func overlapIndex(piece string) int {
	start := len(piece) - overlap
	for !utf8.RuneStart(piece[start]) {
		start++
	}
	if i := strings.IndexFunc(piece[start:], unicode.IsSpace); i >= 0 {
		return start + i
	}
	return start
}
