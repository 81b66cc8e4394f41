package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// sources reads comments and constants of this module's packages.
type sources struct {
	root   string
	parsed map[string]*source // by the packages' paths
}

// source is what a package says about its types.
type source struct {
	comments  map[string]string // of fields, by "Type.Field"
	constants map[string]string // values of string constants
}

var word = regexp.MustCompile(`\w+`)

// comment returns the comment of a field in one line. Constants in it are replaced by their values, and names
// of fields by their keys.
func (s *sources) comment(object reflect.Type, field string) (string, error) {
	source, err := s.of(object)
	if err != nil {
		return "", err
	}
	comment := source.comments[object.Name()+"."+field]
	if comment == "" {
		return "", fmt.Errorf("%s.%s has no comment", object, field)
	}
	first, rest, _ := strings.Cut(comment, ". ")
	translate := func(name string) string {
		if value, isConstant := source.constants[name]; isConstant && ast.IsExported(name) {
			return code(value)
		}
		named, _ := object.FieldByName(name)
		if key, _, _ := strings.Cut(named.Tag.Get("json"), ","); key != "" {
			return code(key)
		}
		return name
	}
	subject, predicate, _ := strings.Cut(first, " ")
	comment = translate(subject) + " " + predicate
	if rest != "" {
		comment += ". " + word.ReplaceAllStringFunc(rest, translate)
	}
	return strings.ReplaceAll(comment, "|", `\|`), nil
}

func (s *sources) constant(object reflect.Type, name string) (string, error) {
	source, err := s.of(object)
	if err != nil {
		return "", err
	}
	value, found := source.constants[name]
	if !found {
		return "", fmt.Errorf("%s has no string constant %s", object.PkgPath(), name)
	}
	return value, nil
}

// of returns the source of the package that declares a type.
func (s *sources) of(object reflect.Type) (*source, error) {
	path := object.PkgPath()
	if known, found := s.parsed[path]; found {
		return known, nil
	}
	folder := filepath.Join(s.root, strings.TrimPrefix(path, "agentstack/"))
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("find source of %s in %s: %d files, %w", path, folder, len(files), err)
	}
	read := &source{comments: map[string]string{}, constants: map[string]string{}}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", name, err)
		}
		ast.Inspect(file, read.collect)
	}
	s.parsed[path] = read
	return read, nil
}

// collect notes the comments of a struct's fields and the values of string constants.
func (s *source) collect(node ast.Node) bool {
	switch declared := node.(type) {
	case *ast.TypeSpec:
		object, isStruct := declared.Type.(*ast.StructType)
		if !isStruct {
			return false
		}
		for _, field := range object.Fields.List {
			text := field.Doc.Text() + field.Comment.Text()
			for _, name := range field.Names {
				s.comments[declared.Name.Name+"."+name.Name] = strings.Join(strings.Fields(text), " ")
			}
		}
	case *ast.ValueSpec:
		for i, value := range declared.Values {
			literal, isLiteral := value.(*ast.BasicLit)
			if isLiteral && literal.Kind == token.STRING && i < len(declared.Names) {
				s.constants[declared.Names[i].Name], _ = strconv.Unquote(literal.Value)
			}
		}
	}
	return true
}
