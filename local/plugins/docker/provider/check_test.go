package provider

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"agentstack/local/plugins/property"
)

var unknown = resource.MakeComputed(resource.NewStringProperty(""))

func TestCheckRefuses(t *testing.T) {
	folder := write(t, "", map[string]string{"app/Dockerfile": "FROM scratch\n"})
	t.Chdir(folder)
	good := properties{"context": "app"}
	with := func(build properties) properties {
		return properties{"imageName": "r.test/a:1", "build": build}
	}
	cacheFrom := properties{"images": []any{"a"}}
	half := with(good)
	half["registry"] = properties{"password": "x"}
	cases := map[string]struct {
		inputs           properties
		property, reason string
	}{
		"no image name":    {properties{"build": good}, "imageName", "required"},
		"short image name": {properties{"imageName": "api:1", "build": good}, "imageName", "fully qualified"},
		"unknown key":      {with(properties{"contxt": "app"}), "", "contxt"},
		"wrong type":       {with(properties{"target": 7}), "", "target"},
		"no such context":  {with(properties{"context": "nowhere"}), "build", "nowhere"},
		"context is a file": {
			with(properties{"context": "app/Dockerfile"}), "build", "not a directory",
		},
		"no Dockerfile": {properties{"imageName": "r.test/a:1"}, "build", "Dockerfile"},
		"Dockerfile relative": {
			with(properties{"context": "app", "dockerfile": "Dockerfile"}), "build", "app/Dockerfile",
		},
		"old builder": {
			with(properties{"context": "app", "builderVersion": "BuilderV1"}), "build.builderVersion", "BuilderV1",
		},
		"password alone": {half, "registry", "username"},
		"short cache image": {
			with(properties{"context": "app", "cacheFrom": cacheFrom}),
			"build.cacheFrom.images[0]", "fully qualified",
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			e := configured(t, nil)
			response, err := e.Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn, News: packed(t, test.inputs)})
			must(t, err)
			if !slices.ContainsFunc(response.Failures, func(failure *pulumirpc.CheckFailure) bool {
				return failure.Property == test.property && strings.Contains(failure.Reason, test.reason)
			}) {
				t.Errorf("failures are %v, want one of %q about %q", response.Failures, test.property, test.reason)
			}
		})
	}
}

func TestCheckReportsEveryProblem(t *testing.T) {
	e := configured(t, nil)
	response, err := e.Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn, News: packed(t, properties{
		"imageName": "api:1", "build": properties{"context": "nowhere", "builderVersion": "BuilderV1"},
	})})
	must(t, err)
	if len(response.Failures) != 3 {
		t.Errorf("three problems give %v", response.Failures)
	}
}

func TestCheckFillsIn(t *testing.T) {
	folder := write(t, "", map[string]string{"Dockerfile": "FROM scratch\n"})
	e := configured(t, nil)
	inputs := unpacked(t, e.check(properties{
		"imageName": unknown,
		"build":     properties{"context": folder, "args": properties{"A": unknown}},
		"registry":  properties{"username": "me", "password": "word"},
	}))
	build := inputs["build"].ObjectValue()
	if !inputs["imageName"].IsComputed() || !build["args"].ObjectValue()["A"].IsComputed() {
		t.Errorf("unknown values became known: %v", inputs)
	}
	if build["dockerfile"].StringValue() != filepath.Join(folder, "Dockerfile") ||
		build["platform"].StringValue() != hostPlatform() || len(build["contextDigest"].StringValue()) != 64 {
		t.Errorf("build is %v", build)
	}
	if !inputs["registry"].ObjectValue()["password"].IsSecret() {
		t.Error("the registry's password is not secret")
	}
	later := unpacked(t, e.check(properties{
		"imageName": "r.test/a:1", "build": properties{"context": unknown},
	}))
	if later["build"].ObjectValue().HasValue("contextDigest") {
		t.Errorf("an unknown context has a digest: %v", later)
	}
}

func TestDiff(t *testing.T) {
	folder := write(t, "", map[string]string{"Dockerfile": "FROM scratch\n"})
	with := func(change func(in, build, reg properties)) properties {
		build := properties{"context": folder, "args": properties{"A": "1"}}
		registry := properties{"server": "r.test", "username": "me", "password": "word"}
		inputs := properties{"imageName": "r.test/a:1", "build": build, "registry": registry}
		change(inputs, build, registry)
		return inputs
	}
	argument := func(value any) properties {
		return with(func(_, build, _ properties) { build["args"] = properties{"A": value} })
	}
	secret := resource.MakeSecret(resource.NewStringProperty("1"))
	cases := map[string]struct {
		news properties
		want []string
	}{
		"nothing":     {with(func(_, _, _ properties) {}), nil},
		"password":    {with(func(_, _, reg properties) { reg["password"] = "other" }), nil},
		"server":      {with(func(_, _, reg properties) { reg["server"] = "s.test" }), []string{"registry.server"}},
		"argument":    {argument("2"), []string{"build.args.A"}},
		"not known":   {argument(unknown), []string{"build.args.A"}},
		"now secret":  {argument(secret), nil},
		"new target":  {with(func(_, b, _ properties) { b["target"] = "debug" }), []string{"build.target"}},
		"image name":  {with(func(in, _, _ properties) { in["imageName"] = "r.test/a:2" }), []string{"imageName"}},
		"no registry": {with(func(in, _, _ properties) { delete(in, "registry") }), []string{"registry"}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			e := configured(t, nil)
			olds := unpacked(t, e.check(with(func(_, _, _ properties) {})))
			state := resource.PropertyMap{inputsKey: resource.MakeSecret(object(property.OpenedMap(olds)))}
			if got := e.diff(state, test.news); !slices.Equal(got, test.want) {
				t.Errorf("diff is %v, want %v", got, test.want)
			}
		})
	}
}

func TestConfiguration(t *testing.T) {
	p := New(&screen{})
	logins := `[{"address":"r.test","username":"u","password":"p"}]`
	for name, test := range map[string]struct {
		values properties
		reason string
	}{
		"lists as text": {properties{"registryAuth": logins, "version": "4.10.0"}, ""},
		"not JSON":      {properties{"registryAuth": "me:word"}, "registryAuth"},
		"unknown key":   {properties{"hots": "unix:///x"}, "hots"},
	} {
		t.Run(name, func(t *testing.T) {
			response, err := p.CheckConfig(t.Context(), &pulumirpc.CheckRequest{News: packed(t, test.values)})
			must(t, err)
			refused := len(response.Failures) > 0
			wrong := refused && !strings.Contains(response.Failures[0].Reason, test.reason)
			if refused != (test.reason != "") || wrong {
				t.Errorf("failures are %v, want one about %q", response.Failures, test.reason)
			}
		})
	}
}
