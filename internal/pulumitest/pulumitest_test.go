package pulumitest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

// program registers a ConfigMap with the given value, and a Secret that refers to it.
func program(value pulumi.StringInput) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		configMap, err := corev1.NewConfigMap(ctx, "c", &corev1.ConfigMapArgs{
			Metadata: &metav1.ObjectMetaArgs{Labels: pulumi.StringMap{}},
			Data:     pulumi.StringMap{"key": value},
		}, pulumi.IgnoreChanges([]string{"data"}))
		if err != nil {
			return err
		}
		_, err = corev1.NewSecret(ctx, "s", &corev1.SecretArgs{
			Metadata:   &metav1.ObjectMetaArgs{Name: configMap.Metadata.Name()},
			StringData: pulumi.StringMap{"key": value},
		})
		return err
	}
}

func TestUpKnowsOutputsAndPreviewDoesNot(t *testing.T) {
	name := func(recording *Recording) string {
		found, _ := recording.Find(t, "kubernetes:core/v1:Secret", "s").At("metadata", "name").(string)
		return found
	}
	if got := name(Up(t, program(pulumi.String("v")))); !strings.HasPrefix(got, "c-") {
		t.Errorf("up: the name made by the provider is %q", got)
	}
	if got := name(Preview(t, program(pulumi.String("v")))); got != Unknown {
		t.Errorf("preview: the name made by the provider is %q, want it to be unknown", got)
	}
}

func TestRecordingHidesSecrets(t *testing.T) {
	secret, _ := pulumi.ToSecret(pulumi.String("hunter2")).(pulumi.StringOutput)
	recording := Up(t, program(secret))
	got := recording.Find(t, "kubernetes:core/v1:ConfigMap", "c").At("data")
	if strings.Contains(fmt.Sprint(got), "hunter2") {
		t.Errorf("the recording shows a secret: %v", got)
	}
}

func TestRevealedRecordingHoldsSecrets(t *testing.T) {
	secret, _ := pulumi.ToSecret(pulumi.String("hunter2")).(pulumi.StringOutput)
	recording := UpRevealed(t, program(secret))
	if got := recording.Find(t, "kubernetes:core/v1:Secret", "s").At("stringData", "key"); got != "hunter2" {
		t.Errorf("the value is %v", got)
	}
}

func TestRecordingHoldsOptionsAndDependencies(t *testing.T) {
	recording := Up(t, program(pulumi.String("v")))
	configMap := recording.Find(t, "kubernetes:core/v1:ConfigMap", "c")
	if !slices.Equal(configMap.IgnoreChanges, []string{"data"}) {
		t.Errorf("ignoreChanges = %v", configMap.IgnoreChanges)
	}
	secret := recording.Find(t, "kubernetes:core/v1:Secret", "s")
	if want := []string{"kubernetes:core/v1:ConfigMap c"}; !slices.Equal(secret.DependsOn, want) {
		t.Errorf("dependsOn = %v, want %v", secret.DependsOn, want)
	}
}

func TestChanged(t *testing.T) {
	before := Up(t, program(pulumi.String("v")))
	if got := Changed(before, Up(t, program(pulumi.String("v")))); got != nil {
		t.Errorf("changed %v between equal programs", got)
	}
	// The Secret changes with the name that the provider makes for the changed ConfigMap.
	want := []string{"kubernetes:core/v1:ConfigMap c", "kubernetes:core/v1:Secret s"}
	if got := Changed(before, Up(t, program(pulumi.String("w")))); !slices.Equal(got, want) {
		t.Errorf("changed %v, want %v", got, want)
	}
}

func TestRunReturnsTheProgramsError(t *testing.T) {
	failure := errors.New("no room")
	_, err := Run(func(*pulumi.Context) error { return failure }, false)
	if err == nil || !strings.Contains(err.Error(), failure.Error()) {
		t.Errorf("error = %v, want %v", err, failure)
	}
}

func TestConfigReachesTheProgram(t *testing.T) {
	values := Config{Values: map[string]string{"n:plain": "p", "n:hidden": "h"}, Secret: []string{"n:hidden"}}
	Up(t, func(ctx *pulumi.Context) error {
		if got := config.New(ctx, "n").Get("plain"); got != "p" {
			t.Errorf("plain = %q", got)
		}
		if !ctx.IsConfigSecret("n:hidden") || ctx.IsConfigSecret("n:plain") {
			t.Error("only n:hidden should be secret")
		}
		return nil
	}, values)
}

func TestKubeconfigOfTheMachineIsNotRecorded(t *testing.T) {
	t.Setenv("KUBECONFIG", "/somewhere")
	recording := Up(t, func(ctx *pulumi.Context) error {
		_, err := kubernetes.NewProvider(ctx, "k", nil)
		return err
	})
	if got := recording.Find(t, "pulumi:providers:kubernetes", "k").At("kubeconfig"); got != nil {
		t.Errorf("kubeconfig = %v", got)
	}
	if os.Getenv("KUBECONFIG") != "/somewhere" {
		t.Error("KUBECONFIG was not put back")
	}
}

// failures is a test that only notes that it failed.
type failures struct {
	testing.TB
	messages []string
}

func (f *failures) Helper() {}

func (f *failures) Errorf(format string, args ...any) {
	f.messages = append(f.messages, fmt.Sprintf(format, args...))
}

func TestGoldenShowsWhereItDiffers(t *testing.T) {
	if *update {
		t.Skip("golden files are being written")
	}
	t.Chdir(t.TempDir())
	if err := os.Mkdir("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	golden := "---\ninputs:\n  apiVersion: v1\n  data:\n    key: v\n"
	if err := os.WriteFile(filepath.Join("testdata", "c.yaml"), []byte(golden), 0o644); err != nil {
		t.Fatal(err)
	}
	noted := &failures{TB: t}
	Up(t, program(pulumi.String("w"))).Golden(noted, "c")
	if len(noted.messages) != 1 || !strings.Contains(noted.messages[0], "got:\n---\nignoreChanges:") {
		t.Errorf("messages = %q, want one that shows the first different line", noted.messages)
	}
}

func TestWithoutTag(t *testing.T) {
	for image, want := range map[string]string{
		"registry:5000/api":    "registry:5000/api",
		"registry:5000/api:v1": "registry:5000/api",
		"registry/api:v1":      "registry/api",
	} {
		if got := withoutTag(image); got != want {
			t.Errorf("withoutTag(%q) = %q, want %q", image, got, want)
		}
	}
}
