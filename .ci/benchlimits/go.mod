module github.com/bearerguard/bearerguard/.ci/benchlimits

go 1.26
