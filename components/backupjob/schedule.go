package backupjob

import (
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// cronFields are the fields of a schedule with the values that they allow.
// https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax
var cronFields = []struct {
	name     string
	min, max int
}{
	{"minute", 0, 59}, {"hour", 0, 23}, {"day of the month", 1, 31}, {"month", 1, 12}, {"day of the week", 0, 6},
}

// cronItem is one of the comma-separated parts of a field: *, 1 or 1-5, with a step as in */15.
var cronItem = regexp.MustCompile(`^(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?$`)

func validateSchedule(path *field.Path, schedule string) field.ErrorList {
	fields := strings.Fields(schedule)
	if len(fields) != len(cronFields) {
		return field.ErrorList{field.Invalid(path, schedule,
			`must have five fields: minute, hour, day of the month, month and day of the week, such as "0 2 * * *"`)}
	}
	problems := field.ErrorList{}
	for i, allowed := range cronFields {
		for item := range strings.SplitSeq(fields[i], ",") {
			if !validItem(item, allowed.min, allowed.max) {
				problems = append(problems, field.Invalid(path, schedule, "has an invalid "+allowed.name+", "+
					strconv.Quote(item)+": give *, or numbers from "+strconv.Itoa(allowed.min)+" to "+
					strconv.Itoa(allowed.max)+", as in 5, 1-5 or */5"))
			}
		}
	}
	return problems
}

func validItem(item string, least, most int) bool {
	parts := cronItem.FindStringSubmatch(item)
	if parts == nil {
		return false
	}
	first, last := number(parts[1], least), number(parts[2], most)
	return least <= first && first <= last && last <= most && number(parts[3], 1) > 0
}

// number returns the value of at most two digits, or fallback for none.
func number(digits string, fallback int) int {
	if value, err := strconv.Atoi(digits); err == nil {
		return value
	}
	return fallback
}
