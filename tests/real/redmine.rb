# What redmine.py puts into a new Redmine: its tables, its own default data, and what the tests need.
Rails.application.load_tasks
Rake::Task['db:migrate'].invoke
ActiveRecord::Base.descendants.each(&:reset_column_information) # as they were before the last migration, some of them
Rake::Task['redmine:load_default_data'].invoke

Setting.rest_api_enabled = '1'
Setting.login_required = '1'
Setting.notified_events = []

statuses = IssueStatus.all.index_by(&:name)
incident = Tracker.create!(name: 'Incident', default_status: statuses.fetch('New'))
integration = Role.create!(
  name: 'Integration', issues_visibility: 'all',
  permissions: [:view_issues, :add_issues, :edit_issues, :add_issue_notes]
)
manager = Role.find_by!(name: 'Manager')

allow = lambda do |role, from, to|
  old = from ? statuses.fetch(from).id : 0
  WorkflowTransition.create!(role: role, tracker: incident, old_status_id: old, new_status_id: statuses.fetch(to).id)
end
{
  nil => ['New'], 'New' => ['In Progress', 'Resolved', 'Closed'], 'In Progress' => ['Feedback', 'Resolved', 'Closed'],
  'Feedback' => ['In Progress', 'Closed'], 'Resolved' => ['In Progress', 'Closed'], 'Closed' => ['In Progress']
}.each { |from, all| all.each { |to| allow.call(integration, from, to) } }
[nil, *statuses.keys].product(statuses.keys).each { |from, to| allow.call(manager, from, to) unless from == to }

usual = { is_for_all: true, is_filter: true, trackers: [incident] }
reference = IssueCustomField.create!(name: 'tocsin', field_format: 'string', **usual)
levels = %w[none backup degraded severe interrupted]
impact = IssueCustomField.create!(name: 'Impact', field_format: 'list', possible_values: levels, **usual)

operations, = %w[operations private].map do |name|
  Project.create!(
    name: name.capitalize, identifier: name, is_public: false,
    trackers: [incident], enabled_module_names: ['issue_tracking']
  )
end
users = %w[tocsin agent onlooker].to_h do |name|
  user = User.new(firstname: name, lastname: 'Example', mail: "#{name}@example.net", language: 'en', mail_notification: 'none')
  user.login = name
  user.password = user.password_confirmation = ENV.fetch('PASSWORD')
  user.save!
  user.pref.update!(time_zone: 'Paris')
  [name, user]
end
Member.create!(project: operations, principal: users['tocsin'], roles: [integration])
Member.create!(project: operations, principal: users['agent'], roles: [manager])

made = {
  keys: users.transform_values(&:api_key), tracker: incident.id, reference_field: reference.id, impact_field: impact.id,
  statuses: statuses.transform_values(&:id), priorities: IssuePriority.all.to_h { |priority| [priority.name, priority.id] }
}
File.write(ENV.fetch('MADE_FILE'), made.to_json)
