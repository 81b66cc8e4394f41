package config

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"
)

// Env looks up an environment variable, as os.LookupEnv does.
type Env func(name string) (value string, ok bool)

// reader reads variables and collects what is wrong with them. An empty variable counts as not set.
type reader struct {
	env      Env
	problems []error
}

func (r *reader) err() error { return errors.Join(r.problems...) }

func (r *reader) problem(name, given, want string) {
	r.problems = append(r.problems, fmt.Errorf("%s: %q given; %s", name, given, want))
}

// secret reports a problem without the value, which may contain a password.
func (r *reader) secret(name, want string) {
	r.problems = append(r.problems, fmt.Errorf("%s: %s", name, want))
}

func (r *reader) text(name, fallback string) string {
	if value, ok := r.env(name); ok && value != "" {
		return value
	}
	return fallback
}

func (r *reader) required(name string) string {
	value := r.text(name, "")
	if value == "" {
		r.problems = append(r.problems, fmt.Errorf("%s: not set, but required", name))
	}
	return value
}

func (r *reader) duration(name string, fallback, least time.Duration) time.Duration {
	return r.parseDuration(name, r.text(name, fallback.String()), least)
}

func (r *reader) parseDuration(name, value string, least time.Duration) time.Duration {
	duration, err := time.ParseDuration(value)
	if err != nil || duration < least {
		r.problem(name, value, fmt.Sprintf("want a duration of at least %s, as in 30s or 5m", least))
	}
	return duration
}

func (r *reader) logLevel() slog.Level {
	const name = "LOG_LEVEL"
	value := r.text(name, "info")
	var level slog.Level
	if err := level.UnmarshalText([]byte(value)); err != nil {
		r.problem(name, value, "want debug, info, warn or error")
	}
	return level
}

func (r *reader) boolean(name string, fallback bool) bool {
	value := r.text(name, strconv.FormatBool(fallback))
	if value != "true" && value != "false" {
		r.problem(name, value, "want true or false")
	}
	return value == "true"
}

func (r *reader) count(name string, fallback int) int {
	value := r.text(name, strconv.Itoa(fallback))
	number, err := strconv.Atoi(value)
	if err != nil || number < 1 {
		r.problem(name, value, "want a number of at least 1")
	}
	return number
}

func validPort(port string, least uint64) bool {
	number, err := strconv.ParseUint(port, 10, 16)
	return err == nil && number >= least
}
