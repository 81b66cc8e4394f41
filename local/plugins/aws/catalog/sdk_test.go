package catalog

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sdkModule is the SDK whose types the table describes.
const sdkModule = "github.com/pulumi/pulumi-aws/sdk/v6@v6.83.0/go/aws"

// TestTheTableIsThatOfTheSDK reads the SDK's source, which the program's tests have put into the module cache.
func TestTheTableIsThatOfTheSDK(t *testing.T) {
	cache, err := exec.Command("go", "env", "GOMODCACHE").Output()
	require.NoError(t, err)
	sdk := filepath.Join(strings.TrimSpace(string(cache)), sdkModule)
	if _, err := os.Stat(sdk); err != nil {
		t.Skip("the SDK is not in the module cache: run `go mod download` in the program's folder")
	}
	for _, tok := range Tokens() {
		t.Run(tok, func(t *testing.T) {
			described, err := Find(tok)
			require.NoError(t, err)
			inputs, outputs, required := declared(t, sdk, tok)
			assert.ElementsMatch(t, required, described.Required, "required inputs")
			assert.Subset(t, inputs, described.Replaces, "inputs that replace")
			assert.Subset(t, inputs, slices.Collect(maps.Keys(described.Rules)), "inputs with a rule")
			assert.Subset(t, outputs, slices.Collect(maps.Keys(described.Outputs)), "outputs")
			assert.Equal(t, slices.Contains(outputs, "tagsAll"), described.Tagged, "has tags")
			if described.AutoName != "" {
				assert.Contains(t, inputs, described.AutoName)
			}
			for _, output := range outputs {
				if output != "tagsAll" && !slices.Contains(inputs, output) {
					assert.Contains(t, described.Outputs, output, "an output that only AWS knows")
				}
			}
		})
	}
}

var requiredArgument = regexp.MustCompile(`required argument '(\w+)'`)

// declared returns the names of a type's inputs and outputs, and of the inputs that its constructor requires.
func declared(t *testing.T, sdk, tok string) (inputs, outputs, required []string) {
	t.Helper()
	module, name, _ := strings.Cut(strings.TrimPrefix(tok, "aws:"), ":")
	path := filepath.Join(sdk, filepath.FromSlash(module)+".go")
	source, err := os.ReadFile(path)
	require.NoError(t, err)
	file, err := parser.ParseFile(token.NewFileSet(), path, source, 0)
	require.NoError(t, err)
	for _, match := range requiredArgument.FindAllSubmatch(source, -1) {
		required = append(required, lowered(string(match[1])))
	}
	return tagNames(t, file, lowered(name)+"Args"), tagNames(t, file, name), required
}

func lowered(name string) string { return string(unicode.ToLower(rune(name[0]))) + name[1:] }

// tagNames are the property names of a struct.
func tagNames(t *testing.T, file *ast.File, name string) []string {
	t.Helper()
	var names []string
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.TypeSpec)
		if !ok || spec.Name.Name != name {
			return true
		}
		for _, field := range spec.Type.(*ast.StructType).Fields.List {
			if field.Tag == nil {
				continue
			}
			text, err := strconv.Unquote(field.Tag.Value)
			require.NoError(t, err)
			if property := reflect.StructTag(text).Get("pulumi"); property != "" {
				names = append(names, property)
			}
		}
		return false
	})
	require.NotNil(t, file.Scope)
	return names
}
