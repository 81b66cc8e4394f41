// Package progress shows a person what a long run is doing: the phase, the time since the start, and what is being
// waited for.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

const (
	// redraw is how often the line on a terminal is drawn again.
	redraw = time.Second
	// reminder is how often a phase in a log says that it goes on.
	reminder = 20 * time.Second
)

// Display writes phases to a terminal, where the last line is alive, or to a log, where lines are only added.
type Display struct {
	out      io.Writer
	terminal bool
	began    time.Time
	now      func() time.Time
}

// New starts the clock. Whether out is a terminal is found out here.
func New(out *os.File) *Display {
	info, err := out.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return &Display{out: out, terminal: terminal, began: time.Now(), now: time.Now}
}

// Phase runs one phase. It hands the phase a function that says what is being waited for.
func (d *Display) Phase(name string, run func(say func(format string, args ...any)) error) error {
	l := &line{display: d, name: name, began: d.now()}
	stop := make(chan struct{})
	var ticking sync.WaitGroup
	ticking.Go(func() { l.tick(stop) })
	l.show()
	err := run(l.say)
	close(stop)
	ticking.Wait()
	if err != nil {
		d.print(d.stamp()+" ✗ "+name+" failed after "+d.since(l.began), true)
		return fmt.Errorf("%s: %w", name, err)
	}
	d.print(d.stamp()+" ✓ "+name+" ("+d.since(l.began)+")", true)
	return nil
}

// Elapsed is the time since the start, in whole seconds.
func (d *Display) Elapsed() time.Duration { return d.now().Sub(d.began).Round(time.Second) }

func (d *Display) stamp() string {
	e := d.Elapsed()
	return fmt.Sprintf("[%02d:%02d]", int(e.Minutes()), int(e.Seconds())%60)
}

func (d *Display) since(t time.Time) string { return d.now().Sub(t).Round(time.Second).String() }

// print draws over the live line of a terminal. A final line stays.
func (d *Display) print(text string, final bool) {
	switch {
	case !d.terminal:
		_, _ = fmt.Fprintln(d.out, text)
	case final:
		_, _ = fmt.Fprint(d.out, "\r\x1b[K", text, "\n")
	default:
		_, _ = fmt.Fprint(d.out, "\r\x1b[K", text)
	}
}

// line is the phase that runs.
type line struct {
	display *Display
	name    string
	began   time.Time
	mu      sync.Mutex
	detail  string
}

func (l *line) say(format string, args ...any) {
	l.mu.Lock()
	changed := l.detail != fmt.Sprintf(format, args...)
	l.detail = fmt.Sprintf(format, args...)
	l.mu.Unlock()
	if changed {
		l.show()
	}
}

func (l *line) show() {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.display.stamp() + " … " + l.name
	if l.detail != "" {
		text += ": " + l.detail
	}
	l.display.print(text+" ("+l.display.since(l.began)+")", false)
}

func (l *line) tick(stop <-chan struct{}) {
	every := reminder
	if l.display.terminal {
		every = redraw
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			l.show()
		}
	}
}
