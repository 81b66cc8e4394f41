package knowledge

import "strings"

// maxHeading bounds what is kept of a heading, in bytes.
const maxHeading = 200

// section is a part of a document under one heading.
type section struct {
	heading string // path, as in Install > Debian
	text    string // with the line of the heading
}

// splitHeadings cuts Markdown before its ATX headings (# to ######), those inside of fenced code blocks
// excepted. A heading without text of its own stays with the next one.
func splitHeadings(content string) []section {
	var sections []section
	var path [6]string
	var fence string
	heading, start, offset := "", 0, 0
	blank := true // since the last heading
	for line := range strings.Lines(content) {
		level, title := parseHeading(line)
		switch {
		case fence != "":
			if closesFence(line, fence) {
				fence = ""
			}
		case openedFence(line) != "":
			fence = openedFence(line)
		case level > 0:
			if !blank {
				sections = append(sections, section{heading, content[start:offset]})
				start = offset
			}
			path[level-1] = title
			clear(path[level:])
			heading, blank = joinPath(path[:]), true
		}
		blank = blank && (level > 0 && fence == "" || strings.TrimSpace(line) == "")
		offset += len(line)
	}
	return append(sections, section{heading, content[start:]})
}

// parseHeading returns the level and text of an ATX heading, or level 0. See CommonMark 0.31.2, section 4.2.
func parseHeading(line string) (level int, title string) {
	line, ok := unindent(line)
	if !ok {
		return 0, ""
	}
	rest := strings.TrimLeft(line, "#")
	level = len(line) - len(rest)
	if level < 1 || level > 6 || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return 0, ""
	}
	title = strings.TrimSpace(rest)
	if closed := strings.TrimRight(title, "#"); closed == "" || strings.HasSuffix(closed, " ") {
		title = strings.TrimSpace(closed)
	}
	return level, firstBytes(title, maxHeading)
}

// openedFence returns the fence of a line that opens a code block, or nothing. See CommonMark 0.31.2, section
// 4.5.
func openedFence(line string) string {
	line, ok := unindent(line)
	if !ok || line == "" || line[0] != '`' && line[0] != '~' {
		return ""
	}
	info := strings.TrimLeft(line, line[:1])
	fence := line[:len(line)-len(info)]
	if len(fence) < 3 || fence[0] == '`' && strings.Contains(info, "`") {
		return ""
	}
	return fence
}

func closesFence(line, fence string) bool {
	line, ok := unindent(line)
	return ok && strings.HasPrefix(line, fence) && strings.Trim(line, fence[:1]) == ""
}

// unindent strips a line of its end and of up to three spaces; more of them begin an indented code block.
func unindent(line string) (string, bool) {
	line = strings.TrimRight(line, " \t\r\n")
	rest := strings.TrimLeft(line, " ")
	return rest, len(line)-len(rest) <= 3
}

func joinPath(path []string) string {
	var titles []string
	for _, title := range path {
		if title != "" {
			titles = append(titles, title)
		}
	}
	return strings.Join(titles, " > ")
}
