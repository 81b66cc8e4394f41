package images

import v1 "github.com/google/go-containerregistry/pkg/v1"

const (
	systemPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	goVersion  = "1.26.8"
)

func debian() Image {
	return Image{
		Name:    "debian",
		Refs:    []string{"docker.io/library/debian:trixie-slim"},
		Package: "base-files",
		Release: "13",
		Config:  v1.Config{Env: []string{systemPath}, Cmd: []string{"bash"}},
		recipe:  debootstrap{},
	}
}

func postgreSQL() Image {
	return Image{
		Name:    "postgresql",
		Refs:    []string{"ghcr.io/cloudnative-pg/postgresql:17-system-trixie"},
		Package: "postgresql-17",
		Release: "17",
		Config: v1.Config{
			User: "26",
			Env:  []string{systemPath + ":/usr/lib/postgresql/17/bin"},
			Cmd:  []string{"bash"},
		},
		base:   "debian",
		recipe: script{"postgresql"},
	}
}

// pgBouncer also answers to the tag that CloudNativePG 1.28.0 gives to a Pooler which names no image.
func pgBouncer() Image {
	return Image{
		Name: "pgbouncer",
		Refs: []string{
			"ghcr.io/cloudnative-pg/pgbouncer:1.24.1",
			"ghcr.io/cloudnative-pg/pgbouncer:1.25.1",
		},
		Package: "pgbouncer",
		Release: "1.24",
		Config: v1.Config{
			User:         "998",
			Env:          []string{systemPath},
			ExposedPorts: map[string]struct{}{"6432/tcp": {}},
			Entrypoint:   []string{"/usr/bin/pgbouncer"},
			Cmd:          []string{"/etc/pgbouncer/pgbouncer.ini"},
		},
		base:   "debian",
		recipe: script{"pgbouncer"},
	}
}

// redis is what Debian has with the fixes that Debian added, under the name of the version that the program asks for.
func redis() Image {
	return Image{
		Name:    "redis",
		Refs:    []string{"docker.io/library/redis:8.2.10"},
		Package: "redis-server",
		Release: "8.0",
		Config: v1.Config{
			User:         "999:999",
			Env:          []string{systemPath},
			ExposedPorts: map[string]struct{}{"6379/tcp": {}},
			Volumes:      map[string]struct{}{"/data": {}},
			WorkingDir:   "/data",
			Cmd:          []string{"redis-server"},
		},
		base:   "debian",
		recipe: script{"redis"},
	}
}

func golang() Image {
	return Image{
		Name: "golang",
		Refs: []string{"docker.io/library/golang:" + goVersion + "-trixie"},
		Config: v1.Config{
			Env: []string{
				"PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
				"GOLANG_VERSION=" + goVersion, "GOTOOLCHAIN=local", "GOPATH=/go",
			},
			WorkingDir: "/go",
			Cmd:        []string{"bash"},
		},
		base:   "debian",
		recipe: goToolchain{version: goVersion},
	}
}

func cloudNativePG() Image {
	return Image{
		Name:   "cloudnative-pg",
		Refs:   []string{"ghcr.io/cloudnative-pg/cloudnative-pg:1.28.0"},
		Config: v1.Config{User: "10001:10001", WorkingDir: "/", Entrypoint: []string{"/manager"}},
		recipe: binary{
			name:  "manager",
			path:  "operator/manager_amd64",
			links: map[string]string{"manager": "operator/manager_amd64"},
			probe: []string{"version"},
		},
	}
}

func coreDNS() Image {
	return Image{
		Name: "coredns",
		Refs: []string{"registry.k8s.io/coredns/coredns:v1.15.0"},
		Config: v1.Config{
			User:         "65532:65532",
			WorkingDir:   "/",
			ExposedPorts: map[string]struct{}{"53/tcp": {}, "53/udp": {}},
			Entrypoint:   []string{"/coredns"},
		},
		recipe: binary{name: "coredns", path: "coredns", bindsLowPorts: true, probe: []string{"-version"}},
	}
}

func localPathProvisioner() Image {
	return Image{
		Name: "local-path-provisioner",
		Refs: []string{"docker.io/rancher/local-path-provisioner:v0.0.30"},
		Config: v1.Config{
			Env: []string{"PATH=/usr/bin"},
			Cmd: []string{"local-path-provisioner"},
		},
		recipe: binary{
			name:  "local-path-provisioner",
			path:  "usr/bin/local-path-provisioner",
			probe: []string{"--help"},
		},
	}
}

func pause() Image {
	return Image{
		Name:   "pause",
		Refs:   []string{"registry.k8s.io/pause:3.10"},
		Config: v1.Config{User: "65535:65535", WorkingDir: "/", Entrypoint: []string{"/pause"}},
		recipe: pauseProgram{},
	}
}

// versityGW is the gateway that gives a folder an S3 interface. Upstream's image runs as root.
func versityGW() Image {
	return Image{
		Name: "versitygw",
		Refs: []string{"docker.io/versity/versitygw:v1.8.0"},
		Config: v1.Config{
			User:         "10001:10001",
			ExposedPorts: map[string]struct{}{"7070/tcp": {}},
			Entrypoint:   []string{"/usr/local/bin/versitygw"},
		},
		recipe: binary{name: "versitygw", path: "usr/local/bin/versitygw", probe: []string{"--version"}},
	}
}
