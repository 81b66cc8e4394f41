package backupjob_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"agentstack/components/backupjob"
	"agentstack/internal/kube"
	"agentstack/internal/pulumitest"
)

func validArgs() backupjob.Args {
	return backupjob.Args{
		Namespace:     "ai-agent",
		Region:        "eu-west-1",
		Image:         pulumi.String("registry.example.com/ai-agent-api@" + pulumitest.Digest),
		PostgresImage: "ghcr.io/cloudnative-pg/postgresql:17-system-trixie",
		Database: kube.Database{
			SecretName:   pulumi.String("ai-agent-db-backup"),
			CASecretName: "ai-agent-db-ca",
			Pods:         map[string]string{"cnpg.io/cluster": "ai-agent-db"},
		},
		Store: kube.ObjectStore{Region: "eu-west-1", Bucket: "example-backups-eu-west-1"},
	}
}

// gatewayArgs has a store with an endpoint and keys, and no setting left to its default.
func gatewayArgs() backupjob.Args {
	args := validArgs()
	args.Store.Endpoint = "http://object-store.ai-agent.svc:7070"
	args.Store.SecretName = pulumi.String("object-store-keys")
	args.Settings = backupjob.Settings{
		Schedule:      "*/15 1-5,22 1 * 0",
		RetentionDays: 7,
		Resources: kube.Resources{
			Requests: kube.ResourceList{CPU: "1", Memory: "1Gi"},
			Limits:   kube.ResourceList{Memory: "2Gi"},
		},
	}
	return args
}

func register(args backupjob.Args) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		_, err := backupjob.New(ctx, "ai-agent-backup-eu-west-1", args)
		return err
	}
}

func TestRegisteredObjects(t *testing.T) {
	pulumitest.Up(t, register(validArgs())).Golden(t, "up")
	pulumitest.Preview(t, register(validArgs())).Golden(t, "preview")
	pulumitest.Up(t, register(gatewayArgs())).Golden(t, "gateway")
}

// TestKeysComeFromTheSecret looks for a value where there should be a reference.
func TestKeysComeFromTheSecret(t *testing.T) {
	job := pulumitest.Up(t, register(gatewayArgs())).Find(t, "kubernetes:batch/v1:CronJob", "ai-agent-backup-eu-west-1")
	pod, _ := job.At("spec", "jobTemplate", "spec", "template", "spec", "containers").([]any)
	env, _ := pod[0].(map[string]any)["env"].([]any)
	secrets := 0
	for _, variable := range env {
		switch variable := variable.(map[string]any); variable["name"] {
		case "DATABASE_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY":
			secrets++
			if variable["value"] != nil || variable["valueFrom"] == nil {
				t.Errorf("%v is not a reference: %v", variable["name"], variable)
			}
		}
	}
	if secrets != 3 {
		t.Errorf("%d secret variables, want 3 in %v", secrets, env)
	}
}

func TestBadArgumentsRegisterNothing(t *testing.T) {
	args := backupjob.Args{
		Store: kube.ObjectStore{Endpoint: "s3.example.com"},
		Settings: backupjob.Settings{
			Schedule:      "daily",
			RetentionDays: -1,
			Resources:     kube.Resources{Requests: kube.ResourceList{CPU: "lots", Memory: "1Gi"}},
		},
	}
	recording, err := pulumitest.Run(register(args), false)
	if err == nil {
		t.Fatal("bad arguments were accepted")
	}
	for _, want := range []string{
		"namespace: Required", "region: Required", "image: Required", "postgresImage: Required",
		"database.secretName: Required", "store.bucket: Required", "store.region: Required",
		`store.endpoint: Invalid value: "s3.example.com"`, `schedule: Invalid value: "daily"`,
		"retentionDays: Invalid value: -1", `resources.requests.cpu: Invalid value: "lots"`,
		"resources.limits.memory: Required",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not contain %q:\n%v", want, err)
		}
	}
	if len(recording.Resources) > 0 {
		t.Errorf("registered %v", recording.References())
	}
}

func TestSchedule(t *testing.T) {
	for schedule, want := range map[string]string{
		"":                        "",
		"0 2 * * *":               "",
		"59 23 31 12 6":           "",
		"0,30 */6 1-15/2 1,7 1-5": "",
		"0 2 * *":                 "must have five fields",
		"0 0 2 * * *":             "must have five fields",
		"@daily":                  "must have five fields",
		"60 2 * * *":              `invalid minute, "60"`,
		"0 24 * * *":              `invalid hour, "24"`,
		"0 2 0 * *":               `invalid day of the month, "0"`,
		"0 2 * 13 *":              `invalid month, "13"`,
		"0 2 * * 7":               `invalid day of the week, "7"`,
		"0 2 * * MON":             `invalid day of the week, "MON"`,
		"0 5-2 * * *":             `invalid hour, "5-2"`,
		"*/0 2 * * *":             `invalid minute, "*/0"`,
		"0, 2 * * *":              `invalid minute, ""`,
		"-5 2 * * *":              `invalid minute, "-5"`,
	} {
		problems := backupjob.Settings{Schedule: schedule}.Validate(field.NewPath("backup"))
		switch {
		case want == "" && len(problems) > 0:
			t.Errorf("%q: %v", schedule, problems)
		case want != "" && (len(problems) != 1 || !strings.Contains(problems[0].Error(), want) ||
			problems[0].Field != "backup.schedule"):
			t.Errorf("%q: %v, want one problem with %q", schedule, problems, want)
		}
	}
}
