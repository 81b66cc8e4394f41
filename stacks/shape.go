package stacks

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// cleanShape compares a JSON document with the type of target and reports every key that the type does not
// have and every value of another type, where encoding/json alone would stop at the first. It returns the
// document without them, so that the rest can be checked too.
func cleanShape(raw []byte, target any) (any, field.ErrorList) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		document = string(raw)
	}
	if _, isObject := document.(map[string]any); !isObject {
		return wrongType(field.NewPath(configNamespace+":"+configKey), document, "an object")
	}
	return cleanValue(nil, document, reflect.TypeOf(target))
}

func cleanValue(path *field.Path, value any, want reflect.Type) (any, field.ErrorList) {
	switch want.Kind() {
	case reflect.Pointer:
		return cleanValue(path, value, want.Elem())
	case reflect.Struct:
		return cleanObject(path, value, want)
	case reflect.Map:
		return cleanStringMap(path, value)
	case reflect.Slice:
		return cleanList(path, value, want)
	case reflect.Int:
		return cleanInt(path, value)
	case reflect.Float64:
		if _, isNumber := value.(json.Number); !isNumber {
			return wrongType(path, value, "a number")
		}
		return value, nil
	case reflect.Bool:
		if _, isBool := value.(bool); !isBool {
			return wrongType(path, value, "true or false")
		}
		return value, nil
	default:
		return cleanString(path, value)
	}
}

func cleanObject(path *field.Path, value any, want reflect.Type) (any, field.ErrorList) {
	object, isObject := value.(map[string]any)
	if !isObject {
		return wrongType(path, value, "an object")
	}
	fields := fieldTypes(want)
	cleaned, problems := map[string]any{}, field.ErrorList{}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		fieldType, known := fields[key]
		if !known {
			// The value stays out of the message: it may be a secret in the wrong place.
			allowed := strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
			problems = append(problems, field.Forbidden(path.Child(key), "unknown key; allowed here: "+allowed))
			continue
		}
		cleanedValue, found := cleanValue(path.Child(key), object[key], fieldType)
		cleaned[key], problems = cleanedValue, append(problems, found...)
	}
	return cleaned, problems
}

// fieldTypes returns the types of a struct's fields by their names in JSON.
func fieldTypes(object reflect.Type) map[string]reflect.Type {
	types := map[string]reflect.Type{}
	for i := range object.NumField() {
		member := object.Field(i)
		name, _, _ := strings.Cut(member.Tag.Get("json"), ",")
		switch {
		case name != "":
			types[name] = member.Type
		case member.Anonymous:
			maps.Copy(types, fieldTypes(member.Type))
		}
	}
	return types
}

func cleanStringMap(path *field.Path, value any) (any, field.ErrorList) {
	object, isObject := value.(map[string]any)
	if !isObject {
		return wrongType(path, value, "an object")
	}
	cleaned, problems := map[string]any{}, field.ErrorList{}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if _, isText := object[key].(string); isText {
			cleaned[key] = object[key]
			continue
		}
		_, found := wrongType(path.Key(key), object[key], "a string; put it into quotes")
		problems = append(problems, found...)
	}
	return cleaned, problems
}

func cleanList(path *field.Path, value any, want reflect.Type) (any, field.ErrorList) {
	list, isList := value.([]any)
	if !isList {
		return wrongType(path, value, "a list")
	}
	cleaned, problems := []any{}, field.ErrorList{}
	for i, element := range list {
		cleanedElement, found := cleanValue(path.Index(i), element, want.Elem())
		cleaned, problems = append(cleaned, cleanedElement), append(problems, found...)
	}
	return cleaned, problems
}

// cleanInt refuses zero, and cleanString the empty string, because in a Config they stand for a key that is
// left out.
func cleanInt(path *field.Path, value any) (any, field.ErrorList) {
	number, isNumber := value.(json.Number)
	parsed, err := strconv.Atoi(number.String())
	switch {
	case !isNumber || err != nil:
		return wrongType(path, value, "a whole number")
	case parsed == 0:
		detail := "must not be zero; leave the key out for its default"
		return nil, field.ErrorList{field.Invalid(path, parsed, detail)}
	}
	return value, nil
}

func cleanString(path *field.Path, value any) (any, field.ErrorList) {
	text, isText := value.(string)
	switch {
	case !isText:
		return wrongType(path, value, "a string; put it into quotes")
	case text == "":
		detail := "must not be empty; leave the key out for its default"
		return nil, field.ErrorList{field.Invalid(path, text, detail)}
	}
	return value, nil
}

func wrongType(path *field.Path, value any, want string) (any, field.ErrorList) {
	return nil, field.ErrorList{field.TypeInvalid(path, value, "must be "+want)}
}
