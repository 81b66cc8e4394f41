package hapostgres

import "fmt"

// BackupRole is the name of the role for logical backups and restores.
const BackupRole = "ai_agent_backup"

// guardLogin is the name of the role that only connects.
const guardLogin = "ai_agent_guard"

// appRole returns the name of the role that the application logs in as with a version of its password. Two take turns,
// so that pods with the password of before go on while those with the new one start.
func appRole(version int) string {
	return fmt.Sprintf("%s_%d", Database, 2-version%2)
}

// Names of the Secrets with which the operator sets passwords.
func (a Args) appSecret(version int) string { return fmt.Sprintf("%s-app-v%d", a.Name, version) }
func (a Args) backupSecret() string         { return fmt.Sprintf("%s-backup-v%d", a.Name, a.PasswordVersion) }
func (a Args) guardSecret() string          { return fmt.Sprintf("%s-guard-v%d", a.Name, a.PasswordVersion) }

// appVersions returns the versions of the application's password that are valid, the newest first.
func (a Args) appVersions() []int {
	if a.PasswordVersion == 1 {
		return []int{1}
	}
	return []int{a.PasswordVersion, a.PasswordVersion - 1}
}

// newRoles describes who logs in. The operator makes them once the cluster is ready.
func newRoles(args Args) []roleSpec {
	roles := []roleSpec{{
		Name:    BackupRole,
		Ensure:  "present",
		Comment: "logical backups and restores",
		Login:   true,
		Inherit: true,
		// It reads everything, past row-level security, and makes databases to restore into. As a member of the owner
		// it can give those to it.
		CreateDB:       true,
		BypassRLS:      true,
		InRoles:        []string{"pg_read_all_data", Database},
		PasswordSecret: objectReference{Name: args.backupSecret()},
	}}
	if args.guarded() {
		roles = append(roles, roleSpec{
			Name:           guardLogin,
			Ensure:         "present",
			Comment:        "asks the instances whether they write and follow",
			Login:          true,
			Inherit:        true,
			PasswordSecret: objectReference{Name: args.guardSecret()},
		})
	}
	for _, version := range args.appVersions() {
		roles = append(roles, roleSpec{
			Name:           appRole(version),
			Ensure:         "present",
			Comment:        "the application",
			Login:          true,
			Inherit:        true,
			InRoles:        []string{Database},
			PasswordSecret: objectReference{Name: args.appSecret(version)},
		})
	}
	return roles
}
