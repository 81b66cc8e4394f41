// Command probe is what the tests' Dockerfiles run: there is no shell in an image made from scratch.
package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

func main() {
	switch os.Args[1] {
	case "fail":
		fmt.Println("compiling", strings.Join(os.Args[2:], " "))
		fmt.Println("syntax error in line 7, token is", os.Getenv("TOKEN"))
		os.Exit(3)
	case "wait":
		time.Sleep(time.Hour)
	}
}
