package rule

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Value is an input of a resource, or a part of one, together with its path. It may be missing, and in a preview it
// may be unknown. Methods that begin with Can answer for what an unknown value may turn out to be.
type Value struct {
	property property.Value
	path     string
	secret   bool
	resource *Resource
}

// At returns the value at a path of keys joined by dots below this one.
func (v Value) At(path string) Value {
	for key := range strings.SplitSeq(path, ".") {
		v = v.Key(key)
	}
	return v
}

// Key returns the value under one key, which may hold dots. What is below an unknown value is unknown.
func (v Value) Key(key string) Value {
	below := property.Value{}
	switch {
	case v.Unknown():
		below = v.property
	case v.property.IsMap():
		below = v.property.AsMap().Get(key)
	}
	path := key
	if v.path != "" {
		path = v.path + "." + key
	}
	return v.child(below, path)
}

func (v Value) child(below property.Value, path string) Value {
	return Value{property: below, path: path, secret: v.Secret(), resource: v.resource}
}

// Or returns the value, or text in its place when it is missing.
func (v Value) Or(text string) Value {
	if v.Missing() {
		return v.child(property.New(text), v.path)
	}
	return v
}

// Resource that the value belongs to.
func (v Value) Resource() Resource { return *v.resource }

// Path of the value in its resource.
func (v Value) Path() string { return v.path }

// Missing reports whether the value is known not to be there.
func (v Value) Missing() bool { return v.property.IsNull() }

// Unknown reports whether the value itself is not known yet.
func (v Value) Unknown() bool { return v.property.IsComputed() }

// Empty reports whether the value is known to be missing or to hold nothing.
func (v Value) Empty() bool {
	switch {
	case v.property.IsMap():
		return v.property.AsMap().Len() == 0
	case v.property.IsArray():
		return v.property.AsArray().Len() == 0
	case v.property.IsString():
		return v.property.AsString() == ""
	default:
		return v.Missing()
	}
}

// Secret reports whether the program marked the value, or what holds it, as a secret.
func (v Value) Secret() bool { return v.secret || v.property.Secret() }

// Is reports whether the value is known to be one of the wanted: strings, booleans or float64 numbers.
func (v Value) Is(wanted ...any) bool { return slices.Contains(wanted, plain(scalar(v.property))) }

// CanBe reports whether the value is, or may turn out to be, one of the wanted.
func (v Value) CanBe(wanted ...any) bool { return v.Unknown() || v.Is(wanted...) }

// CanEqual reports whether two texts are, or may turn out to be, equal.
func (v Value) CanEqual(other Value) bool {
	return v.Unknown() || other.Unknown() || v.Text() == other.Text()
}

// Text is the value as a string, or empty when it is none or unknown.
func (v Value) Text() string {
	if v.property.IsString() {
		return v.property.AsString()
	}
	return ""
}

// Number is the value as a number, false when it is none or unknown.
func (v Value) Number() (float64, bool) {
	if v.property.IsNumber() {
		return v.property.AsNumber(), true
	}
	return 0, false
}

// Items are the elements of a list. A single value that is no list counts as its only element, as in IAM documents.
func (v Value) Items() []Value {
	if v.Missing() || v.Unknown() {
		return nil
	}
	if !v.property.IsArray() {
		return []Value{v}
	}
	var items []Value
	for index, item := range v.property.AsArray().All {
		items = append(items, v.child(item, fmt.Sprintf("%s[%d]", v.path, index)))
	}
	return items
}

// Fields are the values of a map, by key.
func (v Value) Fields() map[string]Value {
	fields := map[string]Value{}
	if v.property.IsMap() {
		for key := range v.property.AsMap().All {
			fields[key] = v.Key(key)
		}
	}
	return fields
}

// CanHold reports whether a list holds, or may hold, one of the wanted.
func (v Value) CanHold(wanted ...any) bool {
	return v.Unknown() || slices.ContainsFunc(v.Items(), func(item Value) bool { return item.CanBe(wanted...) })
}

// CanSelect reports whether the value, a label selector, selects or may select objects with these labels.
func (v Value) CanSelect(objectLabels map[string]string) bool {
	if v.property.HasComputed() {
		return true
	}
	var selector *metav1.LabelSelector
	if v.Decode(&selector) != nil {
		return false
	}
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labels.Set(objectLabels))
}

// Partly reports whether the value or anything in it is unknown.
func (v Value) Partly() bool { return v.property.HasComputed() }

// JSON returns the document that the value is, or holds as text; paths go on inside of it.
func (v Value) JSON() Value {
	if !v.property.IsString() {
		return v
	}
	var document any
	if json.Unmarshal([]byte(v.Text()), &document) != nil {
		return v.child(property.Value{}, v.path)
	}
	return v.child(resource.FromResourcePropertyValue(resource.NewPropertyValue(document)), v.path)
}

// Decode stores the value, which holds nothing unknown, in what into points to, by the rules of encoding/json.
func (v Value) Decode(into any) error {
	encoded, err := json.Marshal(plain(v.property))
	if err != nil {
		return fmt.Errorf("encode %s: %w", v.path, err)
	}
	if err := json.Unmarshal(encoded, into); err != nil {
		return fmt.Errorf("decode %s: %w", v.path, err)
	}
	return nil
}

// scalar returns the value unless it is a list or a map, which can be compared with nothing.
func scalar(value property.Value) property.Value {
	if value.IsArray() || value.IsMap() {
		return property.Value{}
	}
	return value
}

// plain turns a value into what encoding/json knows.
func plain(value property.Value) any {
	switch {
	case value.IsString():
		return value.AsString()
	case value.IsBool():
		return value.AsBool()
	case value.IsNumber():
		return value.AsNumber()
	case value.IsArray():
		list := []any{}
		for _, element := range value.AsArray().All {
			list = append(list, plain(element))
		}
		return list
	case value.IsMap():
		object := map[string]any{}
		for key, element := range value.AsMap().All {
			object[key] = plain(element)
		}
		return object
	default:
		return nil
	}
}
