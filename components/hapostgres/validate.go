package hapostgres

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/internal/kube"
)

// imagePattern wants a version tag: the operator reads PostgreSQL's major version from it.
var imagePattern = regexp.MustCompile(`^[^@\s]+:(1[7-9]|[2-9][0-9])([.-][\w.-]+)?(@sha256:[0-9a-f]{64})?$`)

var durabilities = []string{DurabilityRequired, DurabilityPreferred}

// Validate reports every problem of the arguments, each led by the path of its field below path.
func (a Args) Validate(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	if a.Namespace == "" {
		problems = append(problems, field.Required(path.Child("namespace"), "give the namespace of the cluster"))
	}
	if a.Region == "" {
		problems = append(problems, field.Required(path.Child("region"), "give the name of the region"))
	}
	if a.Store != nil {
		problems = append(problems, a.Store.Validate(path.Child("store"))...)
	}
	problems = append(problems, a.validateStandby(path.Child("standby"))...)
	problems = append(problems, a.validateRecovery(path.Child("recovery"))...)
	return append(problems, a.Settings.Validate(path)...)
}

func (a Args) validateStandby(path *field.Path) field.ErrorList {
	if a.Standby == nil {
		return nil
	}
	problems := a.Standby.Store.Validate(path.Child("store"))
	if a.Store == nil {
		problems = append(problems, field.Forbidden(path, "a standby needs a store of its own, for the day it leads"))
	}
	if a.Passwords == nil {
		problems = append(problems, field.Forbidden(path, "a standby needs the passwords of the primary"))
	}
	switch a.Standby.PrimaryRegion {
	case "":
		problems = append(problems, field.Required(path.Child("primaryRegion"), "give the region with the writes"))
	case a.Region:
		problems = append(problems, field.Invalid(path.Child("primaryRegion"), a.Region, "must be another region"))
	}
	return problems
}

// Least sizes of an instance. Less memory holds no PostgreSQL with its operator; less disk no WAL beside the data.
const (
	minMemory = "256Mi"
	minVolume = "1Gi"
)

// maxName is how long the operator lets a name be, so that the names of its objects are valid.
const maxName = 50

// ValidateName reports a name that no cluster can have.
func ValidateName(path *field.Path, name string) field.ErrorList {
	if len(name) > maxName || len(validation.IsDNS1035Label(name)) > 0 {
		return field.ErrorList{field.Invalid(path, name, fmt.Sprintf(
			"must be at most %d lower case letters, digits and dashes, and begin with a letter", maxName))}
	}
	return field.ErrorList{}
}

// Validate reports every problem of the settings, each led by the path of its field below path.
func (s Settings) Validate(path *field.Path) field.ErrorList {
	s = s.withDefaults()
	problems := ValidateName(path.Child("name"), s.Name)
	if !imagePattern.MatchString(s.Image) {
		problems = append(problems, field.Invalid(path.Child("image"), s.Image,
			"must have a tag that starts with PostgreSQL's version, from 17, such as "+DefaultImage))
	}
	problems = append(problems, s.validateReplication(path)...)
	if s.PasswordVersion < 1 {
		problems = append(problems, field.Invalid(path.Child("passwordVersion"), s.PasswordVersion,
			"must be at least 1, and is raised by one to change the passwords"))
	}
	problems = append(problems, s.Backup.validate(path.Child("backup"))...)
	return append(problems, s.validateSizes(path)...)
}

func (s Settings) validateReplication(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	if s.Instances < 1 {
		problems = append(problems, field.Invalid(path.Child("instances"), s.Instances, "must be at least 1"))
	}
	replicas := max(0, s.Instances-1)
	at := path.Child("synchronousReplicas")
	switch {
	case s.SynchronousReplicas < 0 || s.SynchronousReplicas > replicas:
		problems = append(problems, field.Invalid(at, s.SynchronousReplicas,
			fmt.Sprintf("must be at least 0 and at most %d, the number of replicas", replicas)))
	case s.DataDurability == DurabilityRequired && s.SynchronousReplicas > 0 && s.SynchronousReplicas == replicas:
		problems = append(problems, field.Invalid(at, s.SynchronousReplicas, fmt.Sprintf(
			"must leave one of the %d replicas that may be missing, or every commit waits for it: give at least %d "+
				"instances, or set dataDurability to %s", replicas, s.SynchronousReplicas+2, DurabilityPreferred)))
	}
	if !slices.Contains(durabilities, s.DataDurability) {
		problems = append(problems, field.NotSupported(path.Child("dataDurability"), s.DataDurability, durabilities))
	}
	return problems
}

func (b Backup) validate(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	if fields := strings.Fields(b.Schedule); len(fields) != 6 {
		problems = append(problems, field.Invalid(path.Child("schedule"), b.Schedule,
			`must have six fields, of which the first is the second, such as "0 0 1 * * *"`))
	}
	if b.RetentionDays < 1 {
		problems = append(problems, field.Invalid(path.Child("retentionDays"), b.RetentionDays, "must be at least 1"))
	}
	return problems
}

// validateSizes reports problems of what the parameters and the pools are derived from, and of those only if there are
// none.
func (s Settings) validateSizes(path *field.Path) field.ErrorList {
	problems := s.Resources.Validate(path.Child("resources"))
	problems = append(problems, atLeast(path.Child("resources", "limits", "memory"), s.Resources.Limits.Memory,
		minMemory)...)
	for _, volume := range []struct{ name, size string }{{"size", s.Storage.Size}, {"walSize", s.Storage.WALSize}} {
		at := path.Child("storage", volume.name)
		problems = append(problems, kube.Quantity(at, volume.size)...)
		problems = append(problems, atLeast(at, volume.size, minVolume)...)
	}
	if len(problems) == 0 {
		problems = append(problems, s.validateParameters(path.Child("parameters"))...)
	}
	fits := len(problems) == 0
	problems = append(problems, s.validatePooler(path.Child("pooler"))...)
	if fits && s.Pooler.Instances > 0 && poolSize(s) < 1 {
		problems = append(problems, field.Invalid(path.Child("pooler", "instances"), s.Pooler.Instances,
			fmt.Sprintf("are too many to share max_connections, which is %d", connections(postgresParameters(s)))))
	}
	return problems
}

func (s Settings) validatePooler(path *field.Path) field.ErrorList {
	problems := s.Pooler.Resources.Validate(path.Child("resources"))
	if least := min(2, max(1, s.Instances)); s.Pooler.Instances < least {
		problems = append(problems, field.Invalid(path.Child("instances"), s.Pooler.Instances, fmt.Sprintf(
			"must be at least %d: 2 for a database with replicas, so that one may be missing, and 1 for one without",
			least)))
	}
	if s.Pooler.MaxClients < 1 {
		problems = append(problems, field.Invalid(path.Child("maxClients"), s.Pooler.MaxClients, "must be at least 1"))
	}
	return problems
}

// atLeast reports a positive quantity that is less than another.
func atLeast(path *field.Path, value, least string) field.ErrorList {
	if len(kube.Quantity(path, value)) > 0 || whole(value) >= whole(least) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, value, "must be at least "+least)}
}
