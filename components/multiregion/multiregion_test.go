package multiregion_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"agentstack/components/multiregion"
	"agentstack/internal/pulumitest"
)

// register returns a program that deploys a ConfigMap into each region.
func register(primary string, names ...string) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		args := multiregion.Args{Primary: primary, Deploy: deployConfigMap}
		for _, name := range names {
			provider, err := kubernetes.NewProvider(ctx, "kubernetes-"+name, &kubernetes.ProviderArgs{
				Context: pulumi.String(name),
			})
			if err != nil {
				return err
			}
			args.Regions = append(args.Regions, multiregion.Region{Name: name, Kubernetes: provider})
		}
		_, err := multiregion.New(ctx, "all", args)
		return err
	}
}

func deployConfigMap(ctx *pulumi.Context, target multiregion.Target, parent pulumi.ResourceOption,
) (multiregion.Deployment, error) {
	config, err := corev1.NewConfigMap(ctx, "c-"+target.Region, &corev1.ConfigMapArgs{}, parent)
	if err != nil {
		return multiregion.Deployment{}, err
	}
	return multiregion.Deployment{Outputs: pulumi.Map{"uid": config.Metadata.Uid()}}, nil
}

func TestRegisteredObjects(t *testing.T) {
	pulumitest.Up(t, register("us-east-1", "eu-west-1", "us-east-1")).Golden(t, "up")
	pulumitest.Preview(t, register("us-east-1", "eu-west-1", "us-east-1")).Golden(t, "preview")
}

func TestEachRegionUsesItsOwnProvider(t *testing.T) {
	recording := pulumitest.Up(t, register("a", "a", "b"))
	for _, region := range []string{"a", "b"} {
		config := recording.Find(t, "kubernetes:core/v1:ConfigMap", "c-"+region)
		if want := "pulumi:providers:kubernetes kubernetes-" + region; config.Provider != want {
			t.Errorf("region %s uses provider %q, want %q", region, config.Provider, want)
		}
	}
}

func TestPrimaryRegionIsDeployedFirst(t *testing.T) {
	var deployed []string
	pulumitest.Up(t, func(ctx *pulumi.Context) error {
		provider, err := kubernetes.NewProvider(ctx, "k", nil)
		if err != nil {
			return err
		}
		args := multiregion.Args{
			Primary: "b",
			Prepare: func(shared multiregion.Shared) error {
				deployed = append(deployed, "prepared")
				if shared != (multiregion.Shared{}) {
					t.Errorf("without AWS, shared = %v, want nothing", shared)
				}
				return nil
			},
			Deploy: func(_ *pulumi.Context, target multiregion.Target, _ pulumi.ResourceOption,
			) (multiregion.Deployment, error) {
				deployed = append(deployed, target.Region)
				if target.Primary != (target.Region == "b") || target.Store != nil || target.CertificateARN != nil {
					t.Errorf("without AWS, target = %+v", target)
				}
				return multiregion.Deployment{Outputs: pulumi.Map{}}, nil
			},
		}
		for _, name := range []string{"a", "b", "c"} {
			args.Regions = append(args.Regions, multiregion.Region{Name: name, Kubernetes: provider})
		}
		_, err = multiregion.New(ctx, "all", args)
		return err
	})
	if want := []string{"prepared", "b", "a", "c"}; !slices.Equal(deployed, want) {
		t.Errorf("deployed %v, want %v", deployed, want)
	}
}

func TestErrorNamesTheRegion(t *testing.T) {
	_, err := pulumitest.Run(func(ctx *pulumi.Context) error {
		provider, err := kubernetes.NewProvider(ctx, "k", nil)
		if err != nil {
			return err
		}
		_, err = multiregion.New(ctx, "all", multiregion.Args{
			Primary: "eu-west-1",
			Regions: []multiregion.Region{{Name: "eu-west-1", Kubernetes: provider}},
			Deploy: func(*pulumi.Context, multiregion.Target, pulumi.ResourceOption) (multiregion.Deployment, error) {
				return multiregion.Deployment{}, errors.New("no room")
			},
		})
		return err
	}, false)
	if err == nil || !strings.Contains(err.Error(), "deploy region eu-west-1: no room") {
		t.Errorf("error = %v, want it to name the region", err)
	}
}

func TestBadArgumentsRegisterNothing(t *testing.T) {
	recording, err := pulumitest.Run(func(ctx *pulumi.Context) error {
		_, err := multiregion.New(ctx, "all", multiregion.Args{
			Primary: "elsewhere",
			Regions: []multiregion.Region{{Name: "a"}, {Name: "a"}, {}},
		})
		return err
	}, false)
	if err == nil {
		t.Fatal("bad arguments were accepted")
	}
	for _, want := range []string{
		"regions[0].kubernetes: Required", `regions[1].name: Duplicate value: "a"`, "regions[2].name: Required",
		`primary: Unsupported value: "elsewhere"`, "deploy: Required",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not contain %q:\n%v", want, err)
		}
	}
	if len(recording.Resources) > 0 {
		t.Errorf("registered %v", recording.References())
	}
}

func TestNoRegions(t *testing.T) {
	_, err := pulumitest.Run(register("a"), false)
	if err == nil || !strings.Contains(err.Error(), "regions: Required") {
		t.Errorf("error = %v, want it to ask for a region", err)
	}
}
