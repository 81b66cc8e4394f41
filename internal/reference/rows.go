package main

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// rows returns key, type, default and meaning of each field of a struct and of what is in it, in the order of
// the source. prefix is the path of the struct.
func (s *sources) rows(object reflect.Type, prefix string) ([][]string, error) {
	var rows [][]string
	var problems []error
	for i := range object.NumField() {
		field := object.Field(i)
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		inner, suffix := nested(field.Type)
		switch {
		case field.Anonymous:
			suffix = ""
		case key == "":
			continue
		default:
			comment, err := s.comment(object, field.Name)
			if err != nil {
				problems = append(problems, err)
				continue
			}
			text := parse(comment)
			rows = append(rows, []string{code(prefix + key), typeName(field.Type), text.condition, text.meaning})
			suffix = key + suffix + "."
		}
		if inner == nil {
			continue
		}
		below, err := s.rows(inner, prefix+suffix)
		rows, problems = append(rows, below...), append(problems, err)
	}
	return rows, errors.Join(problems...)
}

// secretRows returns key, condition and meaning of each secret. The field signupToken of the struct of secrets
// has its key in the constant signupTokenKey.
func (s *sources) secretRows(config reflect.Type) ([][]string, error) {
	field, found := config.FieldByName("secrets")
	if !found {
		return nil, fmt.Errorf("find secrets: %s has no field of that name", config)
	}
	var rows [][]string
	var problems []error
	for i := range field.Type.NumField() {
		name := field.Type.Field(i).Name
		comment, err := s.comment(field.Type, name)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		key, err := s.constant(field.Type, name+"Key")
		problems = append(problems, err)
		text := parse(comment)
		rows = append(rows, []string{code("agentstack:" + key), text.condition, text.meaning})
	}
	return rows, errors.Join(problems...)
}

// nested returns the struct that a field of type t leads to, or nil, and what its path has behind the key.
func nested(t reflect.Type) (object reflect.Type, suffix string) {
	switch t.Kind() {
	case reflect.Struct:
		return t, ""
	case reflect.Pointer:
		return nested(t.Elem())
	case reflect.Slice:
		object, suffix = nested(t.Elem())
		return object, "[]" + suffix
	default:
		return nil, ""
	}
}

// typeName names a type as the configuration's author sees it.
func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct:
		return "object"
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Slice:
		return "list of " + typeName(t.Elem()) + "s"
	case reflect.Map:
		return "map of " + typeName(t.Elem()) + "s"
	case reflect.Int:
		return "whole number"
	case reflect.Float64:
		return "number"
	case reflect.Bool:
		return "true or false"
	default:
		return t.Kind().String()
	}
}

func render(header []string, rows [][]string) string {
	var table strings.Builder
	line := func(cells []string) { fmt.Fprintf(&table, "| %s |\n", strings.Join(cells, " | ")) }
	line(header)
	line(strings.Split(strings.Repeat("---,", len(header)-1)+"---", ","))
	for _, row := range rows {
		line(row)
	}
	return table.String()
}

func code(text string) string { return "`" + text + "`" }
