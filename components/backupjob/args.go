package backupjob

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/internal/kube"
)

// Args configures the backups of one region's database.
type Args struct {
	// Namespace is where the objects go; the database's pods are in the same. Required.
	Namespace string
	// Region is the value of the region label. Required.
	Region string
	// Image has agentd as its entrypoint, by digest, such as that of the API. Required.
	Image pulumi.StringInput
	// PostgresImage has pg_dump and pg_restore in the version of the database's server. Required.
	PostgresImage string
	// Database is PostgreSQL, with the credentials of a role that reads everything and may make databases to restore
	// into. Required.
	Database kube.Database
	// Store is where the backups go. Required.
	Store kube.ObjectStore

	Settings
}

// Settings is the part of Args that a stack's configuration gives. A zero field stands for its default.
type Settings struct {
	// Schedule is when backups start, in UTC, in the five fields of cron with numbers. Default "0 2 * * *": every
	// day at two o'clock.
	Schedule string `json:"schedule"`
	// RetentionDays is how many days a backup is kept; the newest one is kept for ever. Default 30.
	RetentionDays int `json:"retentionDays"`
	// Resources of the backup's pod. Default 100m and 128Mi, at most 512Mi.
	Resources kube.Resources `json:"resources"`
}

func (s Settings) withDefaults() Settings {
	if s.Schedule == "" {
		s.Schedule = "0 2 * * *"
	}
	if s.RetentionDays == 0 {
		s.RetentionDays = 30
	}
	s.Resources = s.Resources.Default(kube.Resources{
		Requests: kube.ResourceList{CPU: "100m", Memory: "128Mi"},
		Limits:   kube.ResourceList{Memory: "512Mi"},
	})
	return s
}

// Validate reports every problem of the arguments, each led by the path of its field below path.
func (a Args) Validate(path *field.Path) field.ErrorList {
	problems := field.ErrorList{}
	required := func(path *field.Path, given bool, detail string) {
		if !given {
			problems = append(problems, field.Required(path, detail))
		}
	}
	required(path.Child("namespace"), a.Namespace != "", "give the namespace of the database")
	required(path.Child("region"), a.Region != "", "give the name of the region")
	required(path.Child("image"), a.Image != nil, "give the image with agentd, by digest")
	required(path.Child("postgresImage"), a.PostgresImage != "", "give the image of the database")
	problems = append(problems, a.Database.Validate(path.Child("database"))...)
	problems = append(problems, a.Store.Validate(path.Child("store"))...)
	return append(problems, a.Settings.Validate(path)...)
}

// Validate reports every problem of the settings, each led by the path of its field below path.
func (s Settings) Validate(path *field.Path) field.ErrorList {
	s = s.withDefaults()
	problems := validateSchedule(path.Child("schedule"), s.Schedule)
	if s.RetentionDays < 1 {
		problems = append(problems, field.Invalid(path.Child("retentionDays"), s.RetentionDays, "must be at least 1"))
	}
	return append(problems, s.Resources.Validate(path.Child("resources"))...)
}
