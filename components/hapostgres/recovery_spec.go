package hapostgres

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Recovery names the archive that a cluster begins with, and the moment until which it is replayed.
type Recovery struct {
	// From is the name of the cluster of the same region that wrote the archive. Required.
	From string
	// TargetTime is a moment in the form of RFC 3339, such as 2026-11-23T12:00:00Z: what was committed until then is
	// there. Something has to have been committed after it, and archived, or the recovery fails. Default: the end of
	// the archive.
	TargetTime string
}

// recoverySpec lets the operator make the Secret of the owner, with which nobody logs in.
type recoverySpec struct {
	Source         string          `json:"source"`
	Database       string          `json:"database"`
	Owner          string          `json:"owner"`
	RecoveryTarget *recoveryTarget `json:"recoveryTarget,omitempty"`
}

type recoveryTarget struct {
	TargetTime string `json:"targetTime"`
}

// postgresTime is a form in which PostgreSQL reads a moment while it starts. It does not know the Z of RFC 3339 yet
// then, which the operator would pass on.
const postgresTime = "2006-01-02 15:04:05.000000-07"

// newRecoverySpec takes a valid moment, or none.
func newRecoverySpec(source, targetTime string) *recoverySpec {
	spec := &recoverySpec{Source: source, Database: Database, Owner: Database}
	if targetTime == "" {
		return spec
	}
	moment, err := time.Parse(time.RFC3339, targetTime)
	if err != nil {
		panic("not a valid moment, which Validate reports: " + err.Error())
	}
	spec.RecoveryTarget = &recoveryTarget{TargetTime: moment.UTC().Format(postgresTime)}
	return spec
}

// Validate reports every problem of a recovery into the cluster of the given name, each led by the path of its field
// below path.
func (r Recovery) Validate(path *field.Path, name string) field.ErrorList {
	problems := field.ErrorList{}
	switch r.From {
	case "":
		problems = append(problems, field.Required(path.Child("from"), "give the name of the cluster with the archive"))
	case name:
		problems = append(problems, field.Invalid(path.Child("name"), name,
			"must be another name than that of the cluster with the archive, which is not written over"))
	}
	if _, err := time.Parse(time.RFC3339, r.TargetTime); r.TargetTime != "" && err != nil {
		problems = append(problems, field.Invalid(path.Child("targetTime"), r.TargetTime,
			"must have the form of RFC 3339, such as 2026-11-23T12:00:00Z"))
	}
	return problems
}

func (a Args) validateRecovery(path *field.Path) field.ErrorList {
	if a.Recovery == nil {
		return nil
	}
	problems := a.Recovery.Validate(path, a.withDefaults().Name)
	if a.Store == nil {
		problems = append(problems, field.Forbidden(path, "a recovery needs the store with the archive"))
	}
	if a.Standby != nil {
		problems = append(problems, field.Forbidden(path, "a standby follows its primary: recover that one"))
	}
	return problems
}
