export PATH=/usr/local/go/bin:"$PATH" GOPATH=/go GOCACHE=/tmp/cache GOTOOLCHAIN=local GOFLAGS=-mod=mod CGO_ENABLED=0
mkdir /tmp/hello
cd /tmp/hello || exit 1
go mod init hello
printf 'package main\n\nimport "os"\n\nfunc main() { os.Stdout.WriteString("works\\n") }\n' >main.go
go build -o hello .
test "$(./hello)" = works
