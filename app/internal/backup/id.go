package backup

import (
	"crypto/rand"
	"path"
	"regexp"
	"strings"
	"time"
)

// An id is the time of the start in UTC, to the millisecond, and eight random characters: ids sort by time, and two
// backups never share one.
const timeLayout = "20060102T150405.000Z"

var idPattern = regexp.MustCompile(`^\d{8}T\d{6}\.\d{3}Z-[a-z2-7]{8}$`)

func newID(now time.Time) string {
	return now.UTC().Format(timeLayout) + "-" + strings.ToLower(rand.Text()[:8])
}

// startOf returns when the backup was started, and whether id is one.
func startOf(id string) (time.Time, bool) {
	if !idPattern.MatchString(id) {
		return time.Time{}, false
	}
	started, err := time.Parse(timeLayout, id[:len(timeLayout)])
	return started, err == nil
}

func (s *Service) dumpKey(id string) string     { return path.Join(s.Prefix, id, "dump") }
func (s *Service) manifestKey(id string) string { return path.Join(s.Prefix, id, "manifest.json") }
