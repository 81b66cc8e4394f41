package hapostgres_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/hapostgres"
	"agentstack/internal/kube"
	"agentstack/internal/pulumitest"
)

const secretType = "kubernetes:core/v1:Secret"

func standbyArgs() hapostgres.Args {
	args := validArgs()
	args.Region = "us-west-2"
	args.Store = &kube.ObjectStore{Region: "us-west-2", Bucket: "backups-us-west-2"}
	args.Standby = &hapostgres.Standby{
		PrimaryRegion: "us-east-1",
		Store:         kube.ObjectStore{Region: "us-east-1", Bucket: "backups-us-east-1"},
	}
	password := pulumi.ToSecret(pulumi.String("the/primary's")).(pulumi.StringOutput)
	args.Passwords = &hapostgres.Passwords{Current: password}
	return args
}

// promotedArgs are those of the standby's region once it is the primary one.
func promotedArgs() hapostgres.Args {
	args := standbyArgs()
	args.Standby, args.Passwords = nil, nil
	return args
}

func TestStandbyFollowsThePrimaryRegion(t *testing.T) {
	object := cluster(t, standbyArgs())
	if got := object.At("spec", "bootstrap", "recovery", "source"); got != "primary-region" {
		t.Errorf("recovers from %v, want primary-region", got)
	}
	if got := object.At("spec", "bootstrap", "initdb"); got != nil {
		t.Errorf("makes a database of its own: %v", got)
	}
	for i, want := range []struct{ name, path, server string }{
		{"this-region", "s3://backups-us-west-2/postgres/us-west-2", "ai-agent-db-17"},
		{"primary-region", "s3://backups-us-east-1/postgres/us-east-1", "ai-agent-db-17"},
	} {
		archive := func(field string) any {
			return object.At("spec", "externalClusters", i, "barmanObjectStore", field)
		}
		if got := object.At("spec", "externalClusters", i, "name"); got != want.name ||
			archive("destinationPath") != want.path || archive("serverName") != want.server {
			t.Errorf("archive %d is %v, want %v", i, object.At("spec", "externalClusters", i), want)
		}
	}
	own := object.At("spec", "backup", "barmanObjectStore", "destinationPath")
	if own != "s3://backups-us-west-2/postgres/us-west-2" {
		t.Errorf("archives to %v", own)
	}
}

// TestPromotion compares the same cluster as a standby and as the primary. The operator promotes and demotes when
// replica.primary changes, and takes the update only if the names that bootstrap refers to stay.
func TestPromotion(t *testing.T) {
	standby, primary := cluster(t, standbyArgs()), cluster(t, promotedArgs())
	want := map[string]any{"self": "this-region", "primary": "primary-region", "source": "primary-region"}
	if got := standby.At("spec", "replica"); !reflect.DeepEqual(got, want) {
		t.Errorf("replica of the standby = %v, want %v", got, want)
	}
	want["primary"] = "this-region"
	if got := primary.At("spec", "replica"); !reflect.DeepEqual(got, want) {
		t.Errorf("replica of the primary = %v, want %v", got, want)
	}
	for i := range 3 {
		before := standby.At("spec", "externalClusters", i, "name")
		if after := primary.At("spec", "externalClusters", i, "name"); after != before {
			t.Errorf("external cluster %v becomes %v", before, after)
		}
	}
	if !slices.Equal(standby.IgnoreChanges, []string{"spec.bootstrap"}) {
		t.Errorf("ignoreChanges = %v, want spec.bootstrap", standby.IgnoreChanges)
	}
	for _, field := range []string{"backup", "managed", "storage", "env"} {
		if !reflect.DeepEqual(standby.At("spec", field), primary.At("spec", field)) {
			t.Errorf("spec.%s depends on the role", field)
		}
	}
}

// The operator refuses a cluster with a token that is not the primary.
func TestPromotionTokenIsForThePrimary(t *testing.T) {
	for want, args := range map[any]hapostgres.Args{"token": promotedArgs(), nil: standbyArgs()} {
		args.PromotionToken = "token"
		if got := cluster(t, args).At("spec", "replica", "promotionToken"); got != want {
			t.Errorf("promotionToken = %v, want %v", got, want)
		}
	}
}

func TestStandbyIsChecked(t *testing.T) {
	tests := map[string]struct {
		damage func(*hapostgres.Args)
		want   string
	}{
		"without a store of its own": {func(a *hapostgres.Args) { a.Store = nil }, "standby: Forbidden"},
		"without the passwords":      {func(a *hapostgres.Args) { a.Passwords = nil }, "standby: Forbidden"},
		"of nobody": {
			func(a *hapostgres.Args) { a.Standby.PrimaryRegion = "" },
			"standby.primaryRegion: Required",
		},
		"of itself": {
			func(a *hapostgres.Args) { a.Standby.PrimaryRegion = a.Region },
			`standby.primaryRegion: Invalid value: "us-west-2"`,
		},
		"of a store without a bucket": {
			func(a *hapostgres.Args) { a.Standby.Store.Bucket = "" },
			"standby.store.bucket: Required",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			args := standbyArgs()
			test.damage(&args)
			problems := args.Validate(nil)
			if len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), test.want) {
				t.Errorf("problems = %v, want one that starts with %s", problems, test.want)
			}
		})
	}
}

// secretData returns the decoded data of a Secret.
func secretData(t *testing.T, recording *pulumitest.Recording, name string) map[string]string {
	t.Helper()
	encoded, _ := recording.Find(t, secretType, name).At("data").(map[string]any)
	data := map[string]string{}
	for key, value := range encoded {
		text, _ := value.(string)
		plain, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatalf("decode %s of %s: %v", key, name, err)
		}
		data[key] = string(plain)
	}
	return data
}

func TestCredentials(t *testing.T) {
	const name = "ai-agent-db-eu-west-1"
	// Clients get what is stored, which is what an earlier run drew.
	appPassword, backupPassword := "first-password-of-"+name+"-app-v1", "first-password-of-"+name+"-backup-v1"
	address := func(role, password, host, more string) string {
		return fmt.Sprintf("postgresql://%s:%s@ai-agent-db-%s.ai-agent:5432/ai_agent?sslmode=verify-full"+
			"&sslrootcert=/run/secrets/database/ca.crt%s", role, password, host, more)
	}
	recording := pulumitest.UpRevealed(t, register(storeArgs()))
	for client, want := range map[string]map[string]string{
		"app": {
			"username":   "ai_agent_1",
			"password":   appPassword,
			"host":       "ai-agent-db-pooler-rw.ai-agent",
			"port":       "5432",
			"dbname":     "ai_agent",
			"uri":        address("ai_agent_1", appPassword, "pooler-rw", ""),
			"read-uri":   address("ai_agent_1", appPassword, "pooler-ro", ""),
			"direct-uri": address("ai_agent_1", appPassword, "rw", "&role=ai_agent"),
		},
		"backup": {
			"username": "ai_agent_backup",
			"password": backupPassword,
			"host":     "ai-agent-db-rw.ai-agent",
			"port":     "5432",
			"dbname":   "ai_agent",
			"uri":      address("ai_agent_backup", backupPassword, "rw", ""),
		},
	} {
		set := secretData(t, recording, name+"-"+client+"-v1")
		if set["username"] != want["username"] || len(set["password"]) < 26 {
			t.Errorf("the operator gets %v, want %s and a password of at least 128 bits", set, want["username"])
		}
		if used := secretData(t, recording, name+"-"+client); !reflect.DeepEqual(used, want) {
			t.Errorf("clients get %v, want %v", used, want)
		}
	}
}

func TestPasswordIsKept(t *testing.T) {
	recording := pulumitest.Up(t, register(storeArgs()))
	for _, role := range []string{"app", "backup"} {
		name := "ai-agent-db-eu-west-1-" + role
		if got := recording.Find(t, secretType, name+"-v1").IgnoreChanges; !slices.Equal(got, []string{"data"}) {
			t.Errorf("a run makes a new password for %s: ignoreChanges = %v", role, got)
		}
		client := recording.Find(t, secretType, name)
		if !slices.Equal(client.ReplaceOnChanges, []string{"data"}) || client.At("metadata", "name") != nil {
			t.Errorf("pods do not notice a new password for %s", role)
		}
	}
}

func TestStandbyHasThePasswordOfThePrimary(t *testing.T) {
	const name = "ai-agent-db-eu-west-1-app"
	recording := pulumitest.UpRevealed(t, register(standbyArgs()))
	if got := recording.Find(t, secretType, name+"-v1").IgnoreChanges; got != nil {
		t.Errorf("a new password of the primary does not reach the standby: ignoreChanges = %v", got)
	}
	data := secretData(t, recording, name)
	if data["password"] != "the/primary's" {
		t.Errorf("password = %q, want the primary's", data["password"])
	}
	parsed, err := url.Parse(data["uri"])
	if err != nil {
		t.Fatalf("parse uri: %v", err)
	}
	if password, _ := parsed.User.Password(); password != "the/primary's" {
		t.Errorf("password in uri = %q, want the primary's", password)
	}
}
