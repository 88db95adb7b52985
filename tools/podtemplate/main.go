// Writes the JSON field order of Kubernetes' PodTemplateSpec, which the pod-template hash depends on:
//
//	cd tools/podtemplate && go run . | python3 -m json.tool --compact
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// field is [JSON name, type, whether an empty value is left out].
type field [3]any

var out = map[string][]field{}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Ptr:
		return "*" + typeName(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "[]" + typeName(t.Elem())
	case reflect.Map:
		return "{}" + typeName(t.Elem())
	case reflect.Struct:
		n := t.Name()
		if n == "Quantity" || n == "IntOrString" || n == "Time" || n == "FieldsV1" {
			return n
		}
		walk(t)
		return n
	}
	return t.Kind().String()
}
func walk(t reflect.Type) {
	if _, ok := out[t.Name()]; ok {
		return
	}
	out[t.Name()] = nil
	out[t.Name()] = fields(t)
}
func fields(t reflect.Type) []field {
	fs := []field{}
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		parts := strings.Split(tag, ",")
		if parts[0] == "" {
			if f.Anonymous {
				fs = append(fs, fields(f.Type)...)
				continue
			}
			fmt.Fprintln(os.Stderr, "no tag", t.Name(), f.Name)
			continue
		}
		rest := strings.Join(parts[1:], ",")
		ty := typeName(f.Type)
		omit := strings.Contains(rest, "omitempty")
		if f.Type.Kind() == reflect.Struct && !strings.Contains(rest, "omitzero") {
			omit = false
		}
		fs = append(fs, field{parts[0], ty, omit})
	}
	return fs
}
func main() {
	walk(reflect.TypeOf(corev1.PodTemplateSpec{}))
	b, _ := json.Marshal(out)
	os.Stdout.Write(b)
}
