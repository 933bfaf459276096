module github.com/bearerguard/bearerguard/.ci/apilist

go 1.26.0
